"""`DbFileField` and `DbImageField`: Django's own, on large objects where no storage is named.

Django saves a model outside of a transaction when that is one query. With a file it is more than
one. So a save is a transaction here, as Django has it for a model with parents: a row that is
refused leaves no file behind, in autocommit too.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from functools import wraps
from typing import Any, Self, cast

from django.apps import apps
from django.core import checks
from django.core.files.storage import Storage, default_storage
from django.db import connections, models, router, transaction
from django.db.models.fields.files import (
    FieldFile,
    FileDescriptor,
    ImageFieldFile,
    ImageFileDescriptor,
)
from django.forms import Field

from .catalogue import Entry
from .storage import DbFileStorage, db_file_storage

__all__ = ["DbFieldFile", "DbFileField", "DbImageField", "DbImageFieldFile"]

# PostgreSQL's text can hold neither NUL nor surrogates.
_UNSTORABLE = dict.fromkeys([0, *range(0xD800, 0xE000)], "\N{REPLACEMENT CHARACTER}")


def entry_attribute(field: str) -> str:
    """Return the attribute of a row that has the catalogue's row of a file, if it was read."""
    return f"_{field}_entry"


def _forget_entry(instance: Any, field: str) -> None:
    # Of django-cleanup it is none.
    getattr(instance, "__dict__", {}).pop(entry_attribute(field), None)


class _FieldFileMixin:
    """Makes file and row one transaction where Django's `FieldFile` changes both.

    What `DbFileQuerySet.with_entries()` has read with the row is not asked for again.
    """

    instance: models.Model
    file: Any
    field: Any
    name: str | None
    storage: Any
    _committed: bool

    @property
    def entry(self) -> Entry:
        """What the catalogue knows of the file: one round trip, or none after `with_entries()`.

        Raises `ValueError` without a file, and `FileNotFoundError` for one that is not catalogued.
        """
        self._require_file()  # type: ignore[attr-defined]
        return self._known_entry() or self.storage.entry(self.name)

    @property
    def size(self) -> int:
        known = self._known_entry()
        return known.size if known else super().size  # type: ignore[misc]

    def _known_entry(self) -> Entry | None:
        known = getattr(self.instance, entry_attribute(self.field.name), None)
        if not (self._committed and known and known["name"] == self.name):
            return None
        moments = {
            name: datetime.fromisoformat(known[name]) for name in ("created_at", "modified_at")
        }
        return Entry(**known | moments)

    def open(self, mode: str = "rb") -> Self:
        if not mode.startswith("r") or "+" in mode:
            _forget_entry(self.instance, self.field.name)
        return cast(Self, super().open(mode))  # type: ignore[misc]

    open.alters_data = True  # type: ignore[attr-defined]  # No template calls it, as Django's.

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Yield the content in chunks of `chunk_size` bytes (None: as the open file does)."""
        return cast(Iterator[bytes], self.file.chunks(chunk_size))

    def save(self, name: str, content: Any, save: bool = True) -> None:
        with self._atomic(save):
            super().save(name, content, save)  # type: ignore[misc]

    def delete(self, save: bool = True) -> None:
        with self._atomic(save):
            super().delete(save)  # type: ignore[misc]

    def _atomic(self, saves_row: bool) -> AbstractContextManager[None]:
        if not saves_row:  # Without a row `instance` may be no model: django-cleanup's is none.
            return nullcontext()
        using = router.db_for_write(type(self.instance), instance=self.instance)
        if connections[using].in_atomic_block:
            # The caller has a transaction. One inside of it would cost a savepoint, or without one
            # break the caller's at any exception.
            return nullcontext()
        return transaction.atomic(using=using)


class DbFieldFile(_FieldFileMixin, FieldFile):  # type: ignore[misc]  # open(), as in its stubs
    """The value of a `DbFileField`."""


class DbImageFieldFile(_FieldFileMixin, ImageFieldFile):  # type: ignore[misc]
    """The value of a `DbImageField`."""


class _DescriptorMixin:
    """Forgets what was read with another value, or before `refresh_from_db()`."""

    field: Any

    def __set__(self, instance: models.Model, value: Any) -> None:
        _forget_entry(instance, self.field.name)
        super().__set__(instance, value)  # type: ignore[misc]


class _Descriptor(_DescriptorMixin, FileDescriptor):
    pass


class _ImageDescriptor(_DescriptorMixin, ImageFileDescriptor):
    pass


class _DbFileFieldMixin:
    """What the two fields share."""

    null: bool
    model: Any
    _names_no_storage = False

    @property
    def storage(self) -> Storage:
        """Where the files are: where none was named, the project's default one if it is ours."""
        # Asked for when it is used: a model may be imported before the default storage can be.
        if self._names_no_storage and isinstance(default_storage, DbFileStorage):
            return default_storage
        return self._storage

    @storage.setter
    def storage(self, storage: Storage) -> None:
        self._storage, self._names_no_storage = storage, False

    def contribute_to_class(self, *args: Any, **kwargs: Any) -> None:
        super().contribute_to_class(*args, **kwargs)  # type: ignore[misc]
        self.model.save_base = _atomic_save_base(self.model.save_base)

    def get_prep_value(self, value: Any) -> Any:
        # NUL and surrogates in a look-up, perhaps from an address, match nothing and are no error.
        value = super().get_prep_value(value)  # type: ignore[misc]
        return value.translate(_UNSTORABLE) if isinstance(value, str) else value

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        # FileField stores '' for no file. A foreign key takes '' for the name of one.
        value = super().get_db_prep_save(value, connection)  # type: ignore[misc]
        return None if value == "" and self.null else value

    def formfield(self, **kwargs: Any) -> Field | None:
        # max_length bounds the stored name, not the name of the file that is chosen.
        return super().formfield(**{"max_length": None, **kwargs})  # type: ignore[misc,no-any-return]

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()  # type: ignore[misc]
        if kwargs.get("storage") is db_file_storage:
            del kwargs["storage"]
        return name, path, args, kwargs

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        messages: list[checks.CheckMessage] = super().check(**kwargs)  # type: ignore[misc]
        if not apps.is_installed("lo_storage"):
            messages.append(
                checks.Error(
                    "The app 'lo_storage' is not installed, so there is no catalogue of files.",
                    hint="Add 'lo_storage' to INSTALLED_APPS and run 'manage.py migrate'.",
                    obj=self,
                    id="lo_storage.E001",
                )
            )
        return messages


def _atomic_save_base(save_base: Any) -> Any:
    """Return a model's `save_base()`, made one transaction."""
    if hasattr(save_base, "is_atomic"):
        return save_base  # for another field of the model, or of an abstract base

    @wraps(save_base)
    def wrapper(
        self: models.Model,
        raw: bool = False,
        force_insert: Any = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Any = None,
    ) -> None:
        using = using or router.db_for_write(type(self), instance=self)
        with transaction.atomic(using=using, savepoint=False):
            save_base(self, raw, force_insert, force_update, using, update_fields)

    wrapper.is_atomic = True  # type: ignore[attr-defined]
    return wrapper


def _or_ours(storage: Any) -> Any:
    # "storage or …" would evaluate a lazy default_storage, and so read the settings at import.
    return db_file_storage if storage is None else storage


class DbFileField(_DbFileFieldMixin, models.FileField):
    """A `FileField` whose files are large objects; a folder in `upload_to` has no effect.

    `storage` (None: `STORAGES["default"]` where that is a `DbFileStorage`, else `db_file_storage`).
    """

    attr_class = DbFieldFile
    descriptor_class = _Descriptor

    def __init__(
        self,
        verbose_name: Any = None,
        name: str | None = None,
        upload_to: Any = "",
        storage: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(verbose_name, name, upload_to, _or_ours(storage), **kwargs)
        self._names_no_storage = storage is None


class DbImageField(_DbFileFieldMixin, models.ImageField):
    """An `ImageField` whose files are large objects; it needs Pillow, as Django's does."""

    attr_class = DbImageFieldFile
    descriptor_class = _ImageDescriptor

    def __init__(
        self,
        verbose_name: Any = None,
        name: str | None = None,
        width_field: str | None = None,
        height_field: str | None = None,
        storage: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            verbose_name,
            name,
            width_field,
            height_field,
            storage=_or_ours(storage),
            **kwargs,
        )
        self._names_no_storage = storage is None
