"""Each file of a database, with the rows that name it, and its content."""

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from django.db import Error, connections, models

from .. import catalogue
from ..database import cursor, savepoint
from ..models import LargeObject
from ..upkeep.columns import columns_beside
from .bags import safe_name
from .rows import has_table

# How much of a large file is read at a time.
SLICE = 8 * 1024 * 1024

FILES = """
    select entry.loid::bigint, entry.name, entry.original_name, entry.size, entry.sha256,
           entry.created_at, entry.modified_at, naming.label, naming.field, naming.key
      from lo_storage_largeobject entry
      left join ({rows}) naming on naming.name = entry.name
     order by entry.loid, naming.place, naming.key
"""

ROWS = """
    select {place} as place, %s::text as label, %s::text as field, {key} as key,
           {column}::text as name
      from {table}
     where {column} is not null
"""


class Unreadable(Exception):
    """The database does not give a content. (What the folder does not take is an `OSError`.)"""


class Naming(NamedTuple):
    """A row that names a file: the model, its field, and the row's key as text."""

    label: str
    field: str
    key: str


class Stored(NamedTuple):
    """A file of the database, and where it is in the folder."""

    loid: int
    name: str
    original_name: str
    size: int
    sha256: str | None
    created_at: datetime
    modified_at: datetime
    path: str


def size_of(alias: str) -> int:
    """Return how many bytes the files of a database have."""
    total = LargeObject.objects.using(alias).aggregate(total=models.Sum("size"))["total"]
    return int(total or 0)


def files(alias: str) -> Iterator[tuple[Stored, list[Naming]]]:
    """Yield each file, with the rows that name it."""
    connection = connections[alias]
    quote = connection.ops.quote_name
    rows, params = [], []
    for place, (model, field) in enumerate(columns_beside(alias)):
        if not has_table(model, alias):
            continue
        keys = [quote(key.column) for key in getattr(model._meta, "pk_fields", [model._meta.pk])]
        key = (
            f"{keys[0]}::text" if len(keys) == 1 else f"jsonb_build_array({', '.join(keys)})::text"
        )
        rows.append(
            ROWS.format(
                place=place, key=key, column=quote(field.column), table=quote(model._meta.db_table)
            )
        )
        params += [model._meta.label, field.name]
    nothing = "select 0 as place, '' as label, '' as field, '' as key, null::text as name"
    query = FILES.format(rows=" union all ".join(rows) or nothing)
    with connection.chunked_cursor() as c:
        c.execute(query, params)
        found = (row for page in iter(lambda: c.fetchmany(2000), []) for row in page)
        for _, same in groupby(found, key=lambda row: row[0]):
            group = list(same)
            namings = [Naming(*row[7:]) for row in group if row[7] is not None]
            loid, name, original_name, *_ = group[0]
            first = namings[0] if namings else Naming("without a row", "", "")
            folders = [part for part in (first.label, first.field) if part]
            key = first.key if _is_plain(first.key) else f"file {loid}"
            path = "/".join(["data", *folders, key, safe_name(original_name, name)])
            yield Stored._make([*group[0][:7], path]), namings


def _is_plain(key: str) -> bool:
    """Whether a key can be a folder, and is no other on a disk without large and small letters."""
    return (
        bool(key) and len(key) <= 100 and set(key) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    )


def slices(alias: str, file: Stored) -> Iterator[bytes]:
    """Yield the content of a file, from its beginning; raise `Unreadable` where it cannot be."""
    for offset in range(0, file.size, SLICE):
        try:
            with savepoint(alias), cursor(alias) as c:
                end = offset + SLICE
                _, rows = catalogue.read_rows(c, file.loid, offset, end, file.created_at)
        except FileNotFoundError as error:
            raise Unreadable("its large object is not there") from error
        except (PermissionError, Error) as error:
            raise Unreadable(str(error)) from error
        yield from rows
