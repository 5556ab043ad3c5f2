"""Rows come to name their new files, if they are as they were when these were read."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from django.db import transaction

from .. import catalogue
from ..database import cursor, db_for_write
from ..models import LargeObject
from ..storage import DbFileStorage
from ..upkeep.finding import Finding
from .moves import Move
from .outcomes import finding
from .rows import Change
from .sources import Objects, Row, StoredFiles


class Copy(NamedTuple):
    """The new file of a row."""

    row: Row
    name: str
    sha256: str
    is_new: bool = True  # False if it was there before.


class Renaming:
    """Lets the rows of a move name their new files."""

    def __init__(self, move: Move) -> None:
        self._move = move
        self._kept: dict[Row, str] = {}

    def name(self, copies: list[Copy], wait: bool, keep: bool = False) -> dict[Row, str]:
        """Let rows name their new files, in this transaction; return those that do now.

        New files of the library that no row names are deleted, unless they are to be kept.
        """
        new = {copy.row: copy.name for copy in copies}
        same = self._unchanged(new)
        changes = {row.pk: Change(row.value, new[row]) for row in same}
        others = {}
        if self._move.delete and not self._move.is_in_place():
            field = self._move.source.column.field
            others = {field.name: None if field.null else ""}
        renamed = self._move.column.rename(self._move.rows(), changes, wait, others)
        named = {row: name for row, name in new.items() if row.pk in renamed}
        if self._move.delete and isinstance(self._move.source, Objects) and not self._move.adopt:
            hashes = {copy.row: copy.sha256 for copy in copies if copy.row in named}
            self._kept.update(self._move.source.unlink(hashes))
        if self._move.is_ours() and not keep:
            with cursor(self._move.column.alias) as c:
                for row, name in new.items():
                    if row not in named:
                        catalogue.delete(c, name)
        return named

    def forget(self, row: Row) -> None:
        """Say nothing of what was kept of a row that was not moved."""
        self._kept.pop(row, None)

    def tell_kept(self) -> Iterator[Finding]:
        """Yield what was kept, once no row is left that may have been the reason."""
        for row, why in self._kept.items():
            if self._move.source.exists(row):
                yield finding(
                    self._move.column,
                    row,
                    "not-deleted",
                    f"large object {row.value} was copied, and is kept: {why}",
                    "Leave it, or delete it by hand when nothing uses it",
                )

    def _unchanged(self, rows: Iterable[Row]) -> list[Row]:
        """Return the rows whose file was not written to since it was looked up."""
        rows = list(rows)
        if not isinstance(self._move.source, StoredFiles):
            return rows
        storage = self._move.source.storage
        if not isinstance(storage, DbFileStorage):
            return rows
        with transaction.atomic(using=db_for_write(storage.alias)):
            entries = LargeObject.objects.using(db_for_write(storage.alias)).select_for_update()
            found = entries.filter(name__in=[row.value for row in rows]).order_by("loid")
            versions = dict(found.values_list("name", "version"))
        return [row for row in rows if row.entry and versions.get(row.value) == row.entry.version]
