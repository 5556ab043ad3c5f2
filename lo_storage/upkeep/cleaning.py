"""Find the files that nobody names, and delete them."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import batched

from django.db import models
from django.db.models import Exists, OuterRef

from ..models import LargeObject
from .columns import columns_beside

# Each unlink holds a lock until the commit, and PostgreSQL's default lock table has 6,400.
BATCH = 1000


def unnamed(alias: str, before: datetime | None = None) -> models.QuerySet[LargeObject]:
    """Return the catalogue's rows that no file column of an installed model names.

    Arguments:

    - `alias`: the database.
    - `before`: only files that were created before (None: all).

    Raises `RowsElsewhere`.
    """
    rows = LargeObject.objects.using(alias)
    if before is not None:
        rows = rows.filter(created_at__lt=before)
    for model, field in columns_beside(alias):
        naming = model._base_manager.using(alias).filter(**{field.name: OuterRef("name")})
        rows = rows.filter(~Exists(naming))
    return rows


def delete_unnamed(alias: str, names: Iterable[str]) -> Iterator[int]:
    """Delete the files of these names that still no row names; yield how many, after each 1,000.

    Each thousand is one statement, and in autocommit one transaction. Raises `IntegrityError` where
    a table that no installed model describes names one of them: of that thousand none is deleted.
    """
    for batch in batched(names, BATCH):
        yield unnamed(alias).filter(name__in=batch)._raw_delete(alias)
