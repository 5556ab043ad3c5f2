"""Find the files that nobody names, and delete them."""

from collections.abc import Iterable, Iterator
from itertools import batched

from django.db import models
from django.db.models import Exists, OuterRef

from ..models import LargeObject
from .columns import file_columns

# Each unlink holds a lock until the commit, and PostgreSQL's default lock table has 6,400.
BATCH = 1000


def unnamed(alias: str) -> models.QuerySet[LargeObject]:
    """Return the catalogue's rows that no file column of an installed model names."""
    rows = LargeObject.objects.using(alias)
    for model, field in file_columns(alias):
        naming = model._base_manager.using(alias).filter(**{field.name: OuterRef("name")})
        rows = rows.filter(~Exists(naming))
    return rows


def delete_unnamed(alias: str, names: Iterable[str]) -> Iterator[int]:
    """Delete those of the names that still nobody names, and yield how many of each 1,000 it was.

    Each thousand is one statement, and in autocommit one transaction. Raises `IntegrityError` where
    a table that no installed model describes names one of them: of that thousand none is deleted.
    """
    for batch in batched(names, BATCH):
        yield unnamed(alias).filter(name__in=batch)._raw_delete(alias)
