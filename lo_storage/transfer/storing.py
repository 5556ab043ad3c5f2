"""Files are put into the library and named by their rows, in one transaction."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from django.core.files import File
from django.core.files.base import ContentFile
from django.db import transaction

from ..catalogue import New
from ..storage import DbFileStorage
from ..upkeep.reading import at_once
from .contents import (
    BATCH_FILES,
    BATCH_SIZE,
    NotAsItWas,
    Times,
    compare,
    put_large,
    put_small,
    small_content,
    storage_errors,
)
from .moves import Move
from .outcomes import Outcome, refused, unreadable
from .renaming import Copy, Renaming
from .sources import Row, compare_sizes


class Read(NamedTuple):
    """The content of a small file; of a large one (`content` is None) what there is to know."""

    row: Row
    original_name: str
    times: Times
    content: bytes | None


class Storing:
    """Puts the files of a move into the library, in the database of the rows."""

    def __init__(self, move: Move, renaming: Renaming) -> None:
        assert isinstance(move.target, DbFileStorage)
        self._move, self._renaming, self._target = move, renaming, move.target

    def steps(self, parts: Iterable[list[Row]]) -> Iterator[list[Outcome]]:
        """Move rows, and yield what became of some; parts of them are read at once."""
        yield from self._put(at_once(self._move.jobs, self._read, parts, self._move.column.alias))

    def _read(self, rows: list[Row]) -> list[Read | Outcome]:
        return list(map(self._read_one, rows))

    def _read_one(self, row: Row) -> Read | Outcome:
        try:
            with self._move.source.open(row) as file:
                content = None if self._target.overrides_save else small_content(file)
            # Some storages open an empty file where there is none.
            if content == b"" and not self._move.source.exists(row):
                raise FileNotFoundError
            if content is not None:
                compare_sizes(row, ContentFile(content))
            name = self._move.source.original_name(row)
            return Read(row, name, self._move.source.times(row), content)
        except NotAsItWas as error:
            return row, refused(self._move.column, row, error)
        except storage_errors() as error:
            if isinstance(error, FileNotFoundError) and self._move.is_changed(row):
                return row, ""
            return row, unreadable(self._move.column, self._move.source, row, error)

    def _put(self, parts: Iterable[list[Read | Outcome]]) -> Iterator[list[Outcome]]:
        """Store small files by the MiB, and each large one by itself."""
        batch: list[Read] = []
        size = 0
        for part in parts:
            for one in part:
                if not isinstance(one, Read):
                    yield [one]
                elif one.content is None:
                    yield [self._put_large(one)]
                else:
                    if size + len(one.content) > BATCH_SIZE or len(batch) == BATCH_FILES:
                        yield self._put_small(batch)
                        batch, size = [], 0
                    batch.append(one)
                    size += len(one.content)
        if batch:
            yield self._put_small(batch)

    def _put_small(self, batch: list[Read], wait: bool = False) -> list[Outcome]:
        """Store files and name them, in one transaction; what fails there, each in its own."""
        files = [
            New(read.content or b"", read.original_name, _sha256(read.content or b""), *read.times)
            for read in batch
        ]
        try:
            with transaction.atomic(using=self._move.column.alias):
                for read, file in zip(batch, files, strict=True):
                    compare(file.sha256, self._move.source.sha256(read.row) or file.sha256)
                new = put_small(self._move.column.alias, files)
                copies = [
                    Copy(read.row, name, file.sha256)
                    for read, name, file in zip(batch, new, files, strict=True)
                ]
                named = self._renaming.name(copies, wait)
        except storage_errors() as error:
            if len(batch) == 1:
                return [(batch[0].row, refused(self._move.column, batch[0].row, error))]
            return [pair for read in batch for pair in self._put_small([read], wait=True)]
        outcomes: list[Outcome] = []
        for read in batch:
            if wait or read.row in named:
                outcomes.append((read.row, named.get(read.row, "")))
            else:
                outcomes += self._put_small([read], wait=True)
        return outcomes

    def _put_large(self, read: Read) -> Outcome:
        row, alias = read.row, self._move.column.alias
        try:
            with transaction.atomic(using=alias), self._move.source.open(row) as file:
                content = file if isinstance(file, File) else File(file)
                compare_sizes(row, content)
                name, sha256 = put_large(
                    self._target, alias, read.original_name, content, read.times
                )
                compare(sha256, self._move.source.sha256(row) or sha256)
                named = self._renaming.name([Copy(row, name, sha256)], wait=True)
                return row, named.get(row, "")
        except storage_errors() as error:
            if isinstance(error, FileNotFoundError) and self._move.is_changed(row):
                return row, ""
            return row, refused(self._move.column, row, error)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
