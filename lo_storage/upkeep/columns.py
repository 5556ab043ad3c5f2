"""The file columns of the installed models."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import models, router

from ..database import db_for_write
from ..storage import DbFileStorage


def file_columns(alias: str | None = None) -> Iterator[tuple[type[models.Model], Any]]:
    """Yield (model, field) of each file column whose files are large objects.

    Arguments:

    - `alias`: only columns whose files are in this database (None: in any).
    """
    for model in apps.get_models():
        for field in model._meta.local_concrete_fields:
            if isinstance(field, models.FileField):
                storage = field.storage
                if isinstance(storage, DbFileStorage) and (
                    alias is None or db_for_write(storage.alias) == alias
                ):
                    yield model, field


def columns_elsewhere(alias: str) -> list[str]:
    """Return the file columns whose files are in a database, and whose rows are in another."""
    return [
        f"{model._meta.label}.{field.name}"
        for model, field in file_columns(alias)
        if router.db_for_write(model) != alias
    ]
