"""`DbFileQuerySet`: many rows with their files at once, stored and listed."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, Self

from django.db import models, transaction
from django.db.models import OuterRef, Subquery
from django.db.models.functions import Cast, JSONObject

from . import catalogue
from .catalogue import SMALL_SIZE, Entry, New
from .database import cursor, db_for_write
from .fields import (
    DbFieldFile,
    DbFileField,
    DbImageField,
    DbImageFieldFile,
    entry_attribute,
)
from .large_objects import WRITE_SIZE
from .models import LargeObject
from .storage import DbFileStorage, recut

__all__ = ["DbFileQuerySet"]


class DbFileQuerySet[M: models.Model](models.QuerySet[M]):
    """A `QuerySet` for models with a `DbFileField`: `objects = DbFileQuerySet.as_manager()`."""

    def bulk_create(self, objs: Iterable[M], *args: Any, **kwargs: Any) -> list[M]:
        """Insert rows as Django does, with their files, in one transaction.

        Files below 256 KiB take one round trip for each MiB of them, and any other those of
        `save()`; so does every file of a field or storage whose own way of saving, or `upload_to`,
        wants to hear of each. (Django's own stores each file by itself, and in autocommit leaves
        them where a row is refused.)
        """
        objs, self._for_write = list(objs), True
        with transaction.atomic(using=self.db, savepoint=False):
            for field in _file_fields(self.model):
                if _stores_alike(field):
                    _store_small(field, objs)
            return super().bulk_create(objs, *args, **kwargs)

    def with_entries(self, *fields: str) -> Self:
        """Let each file know its row of the catalogue, by the query that reads the rows.

        Arguments: `fields`: names of file fields (none: all). Then `row.data.entry` and
        `row.data.size` take no round trip, and are as they were when the row was read, until it is
        read again or the file opened to write. The files must be in the database of the rows.
        """
        names = fields or [field.name for field in _file_fields(self.model)]
        columns = {name: name for name in Entry._fields if name != "content"}
        # As JSON an oid would be a string.
        entry = JSONObject(**columns | {"loid": Cast("loid", models.BigIntegerField())})
        return self.annotate(
            **{
                entry_attribute(name): Subquery(
                    LargeObject.objects.filter(name=OuterRef(name)).values_list(entry)
                )
                for name in names
            }
        )


def _file_fields(model: type[models.Model]) -> list[Any]:
    fields = model._meta.concrete_fields
    return [field for field in fields if isinstance(field, DbFileField | DbImageField)]


def _stores_alike(field: Any) -> bool:
    """Whether nothing of the project's own is called when a file of this field is saved."""
    return (
        isinstance(field.storage, DbFileStorage)
        and not field.storage.overrides_save
        and field.attr_class in {DbFieldFile, DbImageFieldFile}
        and type(field).pre_save is models.FileField.pre_save
        # It may ask for what another field's pre_save() sets.
        and not callable(field.upload_to)
    )


def _store_small(field: Any, objs: Iterable[models.Model]) -> None:
    """Store what `field.pre_save()` would store one by one, if it is small."""
    storage: DbFileStorage = field.storage
    # Rows that were given one unsaved file share it, and name it together.
    files = {id(file): file for file in (getattr(obj, field.attname) for obj in objs)}
    for batch in _batches(files.values()):
        new = []
        for file, data in batch:
            name = field.generate_filename(file.instance, file.name)
            name = storage.get_available_name(name, field.max_length)
            new.append(New(data, name, hashlib.sha256(data).hexdigest()))
        with cursor(db_for_write(storage.alias)) as c:
            stored = catalogue.create_many(c, new)
        for (file, _), name in zip(batch, stored, strict=True):
            file.name, file._committed = name, True
            del file.file  # It is opened in the storage when it is read, as after save().


def _batches(files: Iterable[DbFieldFile]) -> Iterator[list[tuple[DbFieldFile, bytes]]]:
    """Yield the small files that are not stored yet with their contents, by the MiB."""
    batch: list[tuple[DbFieldFile, bytes]] = []
    size = 0
    for file in files:
        if not file or file._committed or hasattr(file.file, "adopt"):
            continue
        # A size that is not known is an AttributeError.
        if getattr(file.file, "size", SMALL_SIZE) >= SMALL_SIZE:
            continue
        data = b"".join(recut(file.file.chunks()))
        if batch and size + len(data) > WRITE_SIZE:
            yield batch
            batch, size = [], 0
        batch.append((file, data))
        size += len(data)
    if batch:
        yield batch
