"""`DbFileField` and `DbImageField`: Django's own, with `db_file_storage` for a default."""

from typing import Any

from django.apps import apps
from django.core import checks
from django.db import models
from django.forms import Field

from .storage import db_file_storage


class _StoredInDatabase:
    """What the two fields share. An empty value is NULL where the column allows it."""

    null: bool

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        # FileField stores '' for "no file", which a foreign key takes for the name of one.
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


class DbFileField(_StoredInDatabase, models.FileField):
    """A `FileField` whose files are large objects; `upload_to` has no effect."""

    def __init__(
        self,
        verbose_name: Any = None,
        name: str | None = None,
        upload_to: Any = "",
        storage: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(verbose_name, name, upload_to, storage or db_file_storage, **kwargs)


class DbImageField(_StoredInDatabase, models.ImageField):
    """An `ImageField` whose files are large objects; it needs Pillow, as Django's does."""

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
            storage=storage or db_file_storage,
            **kwargs,
        )
