"""Where the files of a column come from: a storage, or another column of the same row."""

import io
import os
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import PurePath
from typing import Any, NamedTuple

from django.core.exceptions import SuspiciousOperation
from django.core.files import File
from django.core.files.storage import (
    Storage,
)
from django.db import connections, models
from django.db.models import BigIntegerField, F, Func, Q
from django.db.models.functions import Cast, Substr

from .. import large_objects, names
from ..catalogue import SMALL_SIZE
from ..database import cursor
from ..files import DbFileIO
from ..models import LargeObject
from ..upkeep.naming import claimed
from .contents import NotAsItWas, Times, compare, sha256_of, times_of
from .rows import Column

# What one statement reads of a column. A compressed value is unpacked from its beginning each time.
SLICE = 16 * 1024 * 1024

TYPE = """
    select case when typtype = 'd' then format_type(typbasetype, null) else typname end
      from pg_attribute
      join pg_type on pg_type.oid = atttypid
     where attrelid = %s::regclass and attname = %s and not attisdropped
"""

LO_MANAGE = """
    select tgname
      from pg_trigger
      join pg_proc on pg_proc.oid = tgfoid
     where tgrelid = %s::regclass and proname = 'lo_manage'
"""


class CannotBegin(Exception):
    """What was asked for cannot be done."""


class Row(NamedTuple):
    """A row whose file is moved."""

    pk: Any
    value: Any  # what its source column has: a name, a number, the SHA-256 of bytes
    named: str  # the original name, where another column of the row has it
    entry: LargeObject | None = None  # of a file of the library


class StoredFiles:
    """Files of a storage, which a file column names."""

    def __init__(self, storage: Storage, column: Column) -> None:
        self.storage, self.column = storage, column

    def value(self) -> Any:
        return F(self.column.field.name)

    def there(self) -> Q:
        """Return the condition that a row has a file."""
        return ~self.column.is_empty()

    def exists(self, row: Row) -> bool:
        return bool(self.storage.exists(row.value))

    def open(self, row: Row) -> Any:
        return self.storage.open(row.value, "rb")

    def original_name(self, row: Row) -> str:
        if row.entry is not None:
            return row.entry.original_name or row.value
        return row.named or os.path.basename(row.value)

    def times(self, row: Row) -> Times:
        if row.entry is not None:
            return row.entry.created_at, row.entry.modified_at
        return times_of(self.storage, row.value)

    def sha256(self, row: Row) -> str | None:
        """Return the SHA-256 that the content should have, if that is known."""
        return row.entry.sha256 if row.entry is not None else None

    def unnamed(
        self,
        rows: Iterable[Row],
        columns: Iterable[Column],
        others: tuple[Column, set[str]] | None = None,
    ) -> Iterator[tuple[Row, str]]:
        """Yield (row, name) of the files that rows named, and that no row names any more.

        - `others`: a column, and the names by which its rows name other files.
        """
        rows = list(rows)
        values = {row.value for row in rows}
        values |= set(map(self._spelling, values))
        named: set[str] = set()
        for column in columns:
            field = column.field.name
            other_spellings = (
                Q(**{f"{field}__startswith": "/"})
                | Q(**{f"{field}__contains": "./"})
                | Q(**{f"{field}__contains": "//"})
            )
            found = column.rows().filter(Q(**{f"{field}__in": values}) | other_spellings)
            names_of = found.order_by().values_list(field, flat=True).distinct()
            not_ours = others[1] if others and others[0] == column else set()
            named.update(map(self._spelling, set(column.settled(names_of)) - not_ours))
        for row in rows:
            if self._spelling(row.value) not in named:
                named.add(self._spelling(row.value))  # Two rows may have named it.
                yield row, row.value

    def _spelling(self, name: str) -> str:
        """Return the name of a file, of which "./a.pdf" and "b/../a.pdf" are others."""
        with suppress(NotImplementedError, SuspiciousOperation):
            name = os.path.relpath(self.storage.path(name), self.storage.path(""))
            return PurePath(name).as_posix()
        return posixpath.normpath(name)

    def numbers(self) -> set[str] | None:
        """Return which of the files have a name as the library gives; None if nobody can tell."""
        try:
            _, files = self.storage.listdir("")
        except (NotImplementedError, FileNotFoundError, PermissionError):
            return None
        return {name for name in files if names.loid_of(name)}


class ColumnFile(File):  # type: ignore[type-arg]  # no generic at run time
    """Django's `File` of a column: its chunks are as large as one statement reads."""

    DEFAULT_CHUNK_SIZE = SLICE


class Bytes:
    """Contents of a `bytea` column."""

    def __init__(self, column: Column) -> None:
        self.column = column

    def value(self) -> Any:
        return Func(F(self.column.field.name), function="sha256", output_field=models.BinaryField())

    def there(self) -> Q:
        return Q(**{f"{self.column.field.name}__isnull": False})

    def exists(self, row: Row) -> bool:
        return True

    def open(self, row: Row) -> Any:
        return ColumnFile(
            io.BufferedReader(_BytesOfRow(self.column, row.pk), SMALL_SIZE), row.named
        )

    def original_name(self, row: Row) -> str:
        return row.named or self.column.field.name

    def times(self, row: Row) -> Times:
        return None, None

    def sha256(self, row: Row) -> str | None:
        return str(row.value.hex())


class _BytesOfRow(io.RawIOBase):
    """A `bytea` of one row, slice by slice."""

    def __init__(self, column: Column, pk: Any) -> None:
        self._column, self._pk, self._position = column, pk, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        rows = self._column.rows().filter(pk=self._pk)
        part = Substr(F(self._column.field.name), self._position + 1, len(buffer))
        found = rows.values_list(part, flat=True).first()
        if found is None:
            raise FileNotFoundError("the row, or its content, is gone")
        buffer[: len(found)] = found
        self._position += len(found)
        return len(found)


class Objects:
    """Large objects that a column of type `oid` or `lo` points at."""

    def __init__(self, column: Column) -> None:
        self.column = column

    def value(self) -> Any:
        return Cast(F(self.column.field.name), BigIntegerField())

    def there(self) -> Q:
        return Q(**{f"{self.column.field.name}__isnull": False})

    def exists(self, row: Row) -> bool:
        with connections[self.column.alias].cursor() as c:
            c.execute("select from pg_largeobject_metadata where oid = %s", [row.value])
            return c.fetchone() is not None

    def open(self, row: Row) -> Any:
        file: Any = DbFileIO(row.value, "rb", row.named, self.column.alias)
        return ColumnFile(file, row.named)

    def original_name(self, row: Row) -> str:
        return row.named or str(row.value)

    def times(self, row: Row) -> Times:
        return None, None

    def sha256(self, row: Row) -> str | None:
        return None

    def unlink(self, copies: Mapping[Row, str]) -> dict[Row, str]:
        """Delete the objects that nobody uses, in this transaction; return why others are kept.

        Raises `NotAsItWas` for one that was written to since.

        - `copies`: rows that point at them no more, and the SHA-256 of what was copied.
        """
        alias = self.column.alias
        numbers = {row.value for row in copies}
        catalogued = LargeObject.objects.using(alias).filter(loid__in=numbers)
        ours = set(catalogued.values_list("loid", flat=True))
        others = claimed(alias, numbers)
        kept: dict[Row, str] = {}
        for row, sha256 in copies.items():
            if row.value in ours:
                kept[row] = "the catalogue has it"
            elif row.value in others:
                kept[row] = "a column of type oid has its number, or one that cannot be read"
            else:
                with suppress(FileNotFoundError):  # of two rows of one object
                    with self.open(row) as file:
                        compare(sha256_of(file), sha256)
                    with cursor(alias) as c:
                        large_objects.unlink(c, row.value)
        return kept

    def is_claimed(self, row: Row) -> bool:
        """Whether another column has the number, too."""
        own = _table(self.column), self.column.field.column
        return bool(claimed(self.column.alias, [row.value], own))

    def refuse_triggers(self) -> None:
        """Raise `CannotBegin` where the table's own trigger would delete what others may use."""
        with connections[self.column.alias].cursor() as c:
            c.execute(LO_MANAGE, [_table(self.column)])
            if found := c.fetchone():
                raise CannotBegin(
                    f"the trigger {found[0]!r} (lo_manage) deletes a large object with its row;"
                    f" drop it first: drop trigger {found[0]} on {self.column.model._meta.db_table}"
                )


type Source = StoredFiles | Bytes | Objects


def compare_sizes(row: Row, content: File) -> None:  # type: ignore[type-arg]
    """Raise `NotAsItWas` where the catalogue has another size: of a SHA-256 it may know none."""
    if row.entry is not None and content.size != row.entry.size:
        raise NotAsItWas(f"it has {content.size:,} bytes, and by the catalogue {row.entry.size:,}")


def source_of(column: Column) -> Source:
    """Return what a column has: names of files in its own storage, bytes, or large objects."""
    field = column.field
    if isinstance(field, models.FileField):
        return StoredFiles(field.storage, column)
    with connections[column.alias].cursor() as c:
        c.execute(TYPE, [_table(column), field.column])
        found = c.fetchone()
    match found and found[0]:
        case "bytea":
            return Bytes(column)
        case "oid":
            return Objects(column)
    raise CannotBegin(
        f"{column.label} holds no files: it is no FileField, and its type is neither bytea nor oid"
        " nor lo"
    )


def _table(column: Column) -> str:
    return connections[column.alias].ops.quote_name(column.model._meta.db_table)
