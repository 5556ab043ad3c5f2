"""The file columns of the installed models."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import connections, models, router

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


def columns_elsewhere(alias: str, *same: str) -> list[str]:
    """Return the file columns whose files are in a database, and whose rows are in another.

    Arguments:

    - `alias`: the database of the files.
    - `same`: other aliases of that database.
    """
    return [
        f"{model._meta.label}.{field.name}"
        for model, field in file_columns(alias)
        if router.db_for_write(model) not in (alias, *same)
    ]


class RowsElsewhere(Exception):
    """The rows of some file columns are not in the database of their files."""


def columns_beside(alias: str) -> list[tuple[type[models.Model], Any]]:
    """Return (model, field) of each file column whose rows and files are both in a database.

    Raises `RowsElsewhere` where there are others: nobody can tell there what no row names.
    """
    database = _database(alias)
    same = {alias, *(other for other in connections if _database(other) == database)}
    if elsewhere := columns_elsewhere(alias, *same):
        raise RowsElsewhere(
            f"the rows of {', '.join(elsewhere)} are not in the database {alias!r}, where their"
            " files are; give the DbFileStorage of these fields the alias of their rows"
        )
    return [column for other in sorted(same) for column in file_columns(other)]


def _database(alias: str) -> list[Any]:
    settings = connections[alias].settings_dict
    return [settings[key] for key in ("HOST", "PORT", "NAME")]
