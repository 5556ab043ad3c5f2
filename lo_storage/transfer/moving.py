"""Field by field: the file of each row is copied, verified, and named by the row."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from itertools import batched, takewhile
from threading import Lock
from typing import Any, NamedTuple

from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage
from django.db import Error, connections, transaction
from django.db.models import F, QuerySet, Value

from .. import catalogue, names
from ..catalogue import New
from ..constraints import LargeObjectReference
from ..database import cursor, db_for_read, db_for_write
from ..models import LargeObject
from ..storage import DbFileStorage
from ..upkeep.adoption import adopt
from ..upkeep.finding import Finding
from ..upkeep.reading import at_once
from .contents import (
    BATCH_FILES,
    BATCH_SIZE,
    NotAsItWas,
    Times,
    compare,
    put_large,
    put_small,
    read_small,
    sha256_of,
    small_content,
    storage_errors,
)
from .rows import Change, Column, as_key, file_columns, has_table, pages, wait_for_locks
from .sources import CannotBegin, Objects, Row, Source, StoredFiles

# How many rows a thread looks at, one after the other.
PART = 32

RUN_AGAIN = "Run it again"


class Moved(NamedTuple):
    """A row that names its new file."""

    column: str
    pk: Any
    name: str


class Read(NamedTuple):
    """The content of a small file; of a large one (`content` is None) what there is to know."""

    row: Row
    original_name: str
    times: Times
    content: bytes | None


class Copy(NamedTuple):
    """The new file of a row."""

    row: Row
    name: str
    sha256: str


# A row, and the name that it has now, or why it has none; "" where it changed meanwhile.
type Outcome = tuple[Row, str | Finding]


@dataclass(frozen=True)
class Move:
    """How the files of a column are moved.

    - `column`: the column whose rows name the new files.
    - `source`: where they come from: the storage of the names that the column has until now, or
      another column.
    - `target`: the storage that gets them.
    - `name_field`: a column with their original names, for what has none.
    - `jobs`: how many are read at once.
    - `adopt`: catalogue large objects where they are.
    - `delete`: the source does not keep what was moved.
    """

    column: Column
    source: Source
    target: Storage
    name_field: str | None = None
    jobs: int = 1
    adopt: bool = False
    delete: bool = False
    _names: set[str] = dataclass_field(default_factory=set, init=False, repr=False)
    _kept: dict[Row, str] = dataclass_field(default_factory=dict, init=False, repr=False)
    _lock: Any = dataclass_field(default_factory=Lock, init=False, repr=False)

    def check(self) -> None:
        """Raise `CannotBegin` where no row could be moved."""
        field = self.source.column.field
        if (
            self._is_in_place()
            and isinstance(self.source, StoredFiles)
            and isinstance(self.source.storage, DbFileStorage)
            and isinstance(self.target, DbFileStorage)
        ):
            raise CannotBegin("both storages are of this library, and the files stay as they are")
        if self.adopt:
            if not isinstance(self.source, Objects):
                raise CannotBegin("--adopt is about large objects: a column of type oid or lo")
            if not self._is_ours():
                raise CannotBegin(f"the files of {self.column.label} are in another database")
        if isinstance(self.source, Objects) and (self.adopt or self.delete):
            self.source.refuse_triggers()
            if not has_table(LargeObject, self.source.column.alias):
                raise CannotBegin(
                    f"the database {self.source.column.alias!r} has no table of the library's, so"
                    " nobody can tell who uses the large objects; move without --delete-source"
                )
        if self.delete:
            self._refuse_transactions()
        if self.delete and not isinstance(self.source, StoredFiles) and not field.null:
            raise CannotBegin(
                f"{self.source.column.label} may not be NULL, and so cannot be emptied; move"
                " without --delete-source, and remove the column"
            )
        if not isinstance(self.target, DbFileStorage):
            for constraint in self.column.model._meta.constraints:
                if (
                    isinstance(constraint, LargeObjectReference)
                    and constraint.field == self.column.field.name
                ):
                    raise CannotBegin(
                        f"the LargeObjectReference {constraint.name!r} lets {self.column.label}"
                        " name files of the catalogue alone; remove it and migrate first"
                    )

    def _refuse_transactions(self) -> None:
        """Raise `CannotBegin` where what is committed here would not be: it may be rolled back."""
        aliases = {self.column.alias}
        if isinstance(self.source, StoredFiles) and isinstance(self.source.storage, DbFileStorage):
            aliases.add(db_for_write(self.source.storage.alias))
        for alias in aliases:
            if not connections[alias].get_autocommit():
                raise CannotBegin(
                    f"the database {alias!r} is in a transaction, which may be rolled back when"
                    " the source is gone; call it outside of transaction.atomic(), or without"
                    " --delete-source"
                )

    def rows(self) -> QuerySet[Any]:
        """Return the rows that have something to move, or, in place, that have a file."""
        rows = self.column.rows().filter(self.source.there())
        return rows if self._is_in_place() else rows.filter(self.column.is_empty())

    def run(
        self,
        done: Callable[[int], None],
        dry_run: bool = False,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Iterator[Moved | Finding]:
        """Move what there is to move.

        Arguments:

        - `done`: is told how many rows were looked at.
        - `dry_run`: only look whether the files are there.
        - `stopped`: whether to come to an end; what was begun is finished.
        """
        if self._is_in_place() and isinstance(self.target, DbFileStorage) and not dry_run:
            self._make_empty_ones_null()
        numbers = self._numbers()
        named = F(self.name_field) if self.name_field else Value("")
        rows = self.rows().annotate(value=self.source.value(), named=named)
        for page in pages(rows, "value", "named"):
            found = [Row(pk, as_key(value), str(named or "")) for pk, value, named in page]
            todo: list[Row] = []
            for one in self._sort(found, numbers):
                if isinstance(one, Row):
                    todo.append(one)
                else:
                    yield one
            yield from self._look(todo) if dry_run else self._move(rows, todo, stopped)
            if stopped():
                break
            done(len(page))
        yield from self._tell_kept()

    # Which rows

    def _is_in_place(self) -> bool:
        return self.source.column == self.column

    def _is_ours(self) -> bool:
        """Whether rows and new files are one transaction."""
        return (
            isinstance(self.target, DbFileStorage)
            and db_for_write(self.target.alias) == self.column.alias
        )

    def _make_empty_ones_null(self) -> None:
        """Let rows without a file have NULL: a foreign key takes '' for the name of one."""
        field = self.column.field
        if field.null:
            self.column.rows().filter(**{field.name: ""}).update(**{field.name: None})

    def _numbers(self) -> set[str] | None:
        """Return which names of the source could be of the library, too."""
        if self._is_in_place() and isinstance(self.target, DbFileStorage):
            assert isinstance(self.source, StoredFiles)
            return self.source.numbers()
        return set()

    def _sort(self, rows: list[Row], numbers: set[str] | None) -> Iterator[Row | Finding]:
        """Yield the rows to move, with what the catalogue has of them, and what cannot be."""
        if not isinstance(self.source, StoredFiles):
            yield from rows
            return
        library = self.source.storage
        if self._is_in_place() and isinstance(self.target, DbFileStorage):
            library = self.target
        entries: dict[str, LargeObject] = {}
        if isinstance(library, DbFileStorage):
            catalogued = LargeObject.objects.using(db_for_write(library.alias))
            entries = {
                entry.name: entry
                for entry in catalogued.filter(name__in=[row.value for row in rows])
            }
        for row in rows:
            entry = entries.get(row.value)
            if library is self.source.storage:
                if entry is not None or not isinstance(library, DbFileStorage):
                    yield row._replace(entry=entry)
                elif not self._is_in_place() or names.loid_of(row.value) is not None:
                    yield self._finding(
                        row,
                        "not-in-source",
                        f"names {row.value}, which the catalogue does not have",
                        "Bring it back from a backup, or make the row name nothing",
                    )
            elif entry is None:
                yield row
            elif row.value in numbers if numbers is not None else self.source.exists(row):
                yield self._finding(
                    row,
                    "two-files",
                    f"names {row.value}, which the library and the source have both",
                    "Rename the file in the source, and let the row name it so, if it is that one",
                )

    def _look(self, rows: Iterable[Row]) -> Iterator[Moved | Finding]:
        for row in rows:
            try:
                there = self.source.exists(row)
            except storage_errors() as error:
                yield self._unreadable(row, error)
                continue
            if there:
                yield Moved(self.column.label, row.pk, "")
            else:
                yield self._missing(row)

    # Moving

    def _move(
        self, rows: QuerySet[Any], todo: list[Row], stopped: Callable[[], bool]
    ) -> Iterator[Moved | Finding]:
        parts = takewhile(lambda part: not stopped(), map(list, batched(todo, PART)))
        steps: Iterator[list[Outcome]]
        if self.adopt:
            steps = ([self._adopt_one(rows, row)] for part in parts for row in part)
        elif self._is_ours():
            steps = self._into_the_library(
                rows, at_once(self.jobs, self._read, parts, self.column.alias)
            )
        else:
            copies = at_once(self.jobs, self._copy, parts, self.column.alias)
            steps = (self._name_copies(rows, part) for part in copies)
        moved = []
        for step in steps:
            for row, outcome in step:
                if isinstance(outcome, Finding):
                    self._kept.pop(row, None)
                    yield outcome
                elif outcome:
                    moved.append(row)
                    yield Moved(self.column.label, row.pk, outcome)
        # Page by page: to see whether a row names a file may take a look at all of them.
        if self.delete and isinstance(self.source, StoredFiles):
            yield from self._delete(self.source, moved)

    def _read(self, rows: list[Row]) -> list[Read | Outcome]:
        return list(map(self._read_one, rows))

    def _read_one(self, row: Row) -> Read | Outcome:
        try:
            with self.source.open(row) as file:
                content = small_content(file)
            # Some storages open an empty file where there is none.
            if content == b"" and not self.source.exists(row):
                raise FileNotFoundError
            if content is not None:
                _compare_sizes(row, ContentFile(content))
            name = self.source.original_name(row)
            return Read(row, name, self.source.times(row), content)
        except NotAsItWas as error:
            return row, self._refused(row, error)
        except storage_errors() as error:
            if isinstance(error, FileNotFoundError) and self._is_changed(row):
                return row, ""
            return row, self._unreadable(row, error)

    def _is_changed(self, row: Row) -> bool:
        """Whether a row names another file by now, as where somebody else has moved it."""
        rows = self.rows().annotate(value=self.source.value()).filter(pk=row.pk)
        return [as_key(value) for value in rows.values_list("value", flat=True)] != [row.value]

    def _into_the_library(
        self, rows: QuerySet[Any], parts: Iterable[list[Read | Outcome]]
    ) -> Iterator[list[Outcome]]:
        """Store small files by the MiB, and each large one by itself."""
        batch: list[Read] = []
        size = 0
        for part in parts:
            for one in part:
                if not isinstance(one, Read):
                    yield [one]
                elif one.content is None:
                    yield [self._put_large(rows, one)]
                else:
                    if size + len(one.content) > BATCH_SIZE or len(batch) == BATCH_FILES:
                        yield self._put_small(rows, batch)
                        batch, size = [], 0
                    batch.append(one)
                    size += len(one.content)
        if batch:
            yield self._put_small(rows, batch)

    def _put_small(
        self, rows: QuerySet[Any], batch: list[Read], wait: bool = False
    ) -> list[Outcome]:
        """Store files and name them, in one transaction; what fails there, each in its own."""
        files = [
            New(read.content or b"", read.original_name, _sha256(read.content or b""), *read.times)
            for read in batch
        ]
        try:
            with transaction.atomic(using=self.column.alias):
                for read, file in zip(batch, files, strict=True):
                    compare(file.sha256, self.source.sha256(read.row) or file.sha256)
                new = put_small(self.column.alias, files)
                copies = [
                    Copy(read.row, name, file.sha256)
                    for read, name, file in zip(batch, new, files, strict=True)
                ]
                named = self._name(rows, copies, wait)
        except storage_errors() as error:
            if len(batch) == 1:
                return [(batch[0].row, self._refused(batch[0].row, error))]
            return [pair for read in batch for pair in self._put_small(rows, [read], wait=True)]
        outcomes: list[Outcome] = []
        for read in batch:
            if wait or read.row in named:
                outcomes.append((read.row, named.get(read.row, "")))
            else:
                outcomes += self._put_small(rows, [read], wait=True)
        return outcomes

    def _put_large(self, rows: QuerySet[Any], read: Read) -> Outcome:
        assert isinstance(self.target, DbFileStorage)
        row = read.row
        try:
            with transaction.atomic(using=self.column.alias), self.source.open(row) as file:
                content = file if isinstance(file, File) else File(file)
                _compare_sizes(row, content)
                name, sha256 = put_large(
                    self.target, self.column.alias, read.original_name, content, read.times
                )
                compare(sha256, self.source.sha256(row) or sha256)
                named = self._name(rows, [Copy(row, name, sha256)], wait=True)
                return row, named.get(row, "")
        except storage_errors() as error:
            if isinstance(error, FileNotFoundError) and self._is_changed(row):
                return row, ""
            return row, self._refused(row, error)

    def _adopt_one(self, rows: QuerySet[Any], row: Row) -> Outcome:
        assert isinstance(self.source, Objects)
        name = f"{row.value}{names.suffix_of(row.named)}"
        alias = self.column.alias
        try:
            with transaction.atomic(using=alias):
                entry = LargeObject.objects.using(alias).filter(loid=row.value).first()
                if entry is not None:  # Another row points at it, too.
                    name = entry.name
                elif self.source.is_claimed(row):
                    return row, self._finding(
                        row,
                        "refused",
                        f"another column has large object {row.value}, too, or one that cannot be"
                        " read may have it",
                        "Copy it: without --adopt",
                    )
                elif refusal := adopt(alias, name, row.named):
                    return row, self._finding(row, "refused", refusal, "Leave it, or mend that")
                named = self._name(rows, [Copy(row, name, "")], wait=True, keep=True)
                return row, named.get(row, "")
        except storage_errors() as error:
            return row, self._refused(row, error)

    def _name(
        self, rows: QuerySet[Any], copies: list[Copy], wait: bool, keep: bool = False
    ) -> dict[Row, str]:
        """Let rows name their new files, in this transaction; return those that do now.

        New files of the library that no row names are deleted, unless they are to be kept.
        """
        new = {copy.row: copy.name for copy in copies}
        same = self._unchanged(new)
        changes = {row.pk: Change(row.value, new[row]) for row in same}
        others = {}
        if self.delete and not self._is_in_place():
            field = self.source.column.field
            others = {field.name: None if field.null else ""}
        renamed = self.column.rename(rows, changes, wait, others)
        named = {row: name for row, name in new.items() if row.pk in renamed}
        if self.delete and isinstance(self.source, Objects) and not self.adopt:
            hashes = {copy.row: copy.sha256 for copy in copies if copy.row in named}
            self._kept.update(self.source.unlink(hashes))
        if self._is_ours() and not keep:
            with cursor(self.column.alias) as c:
                for row, name in new.items():
                    if row not in named:
                        catalogue.delete(c, name)
        return named

    def _unchanged(self, rows: Iterable[Row]) -> list[Row]:
        """Return the rows whose file was not written to since it was looked up."""
        rows = list(rows)
        if not isinstance(self.source, StoredFiles):
            return rows
        storage = self.source.storage
        if not isinstance(storage, DbFileStorage):
            return rows
        with transaction.atomic(using=db_for_write(storage.alias)):
            entries = LargeObject.objects.using(db_for_write(storage.alias)).select_for_update()
            found = entries.filter(name__in=[row.value for row in rows]).order_by("loid")
            versions = dict(found.values_list("name", "version"))
        return [row for row in rows if row.entry and versions.get(row.value) == row.entry.version]

    def _copy(self, rows: list[Row]) -> list[Copy | Outcome]:
        contents: dict[str, bytes] = {}
        source = self.source
        if isinstance(source, StoredFiles) and isinstance(source.storage, DbFileStorage):
            contents = read_small(db_for_read(source.storage.alias), [row.value for row in rows])
        return [self._copy_one(row, contents.get(row.value)) for row in rows]

    def _copy_one(self, row: Row, known: bytes | None) -> Copy | Outcome:
        name = ""
        try:
            with self.source.open(row) if known is None else ContentFile(known) as file:
                content = file if isinstance(file, File) else File(file)
                _compare_sizes(row, content)
                expected = self.source.sha256(row) or sha256_of(content)
                content.seek(0)
                with self._reserved(self._new_name(row)) as free:
                    name = self.target.save(free, content, max_length=self.column.field.max_length)
            with self.target.open(name) as copy:
                compare(sha256_of(copy), expected)
            self._set_times(name, self.source.times(row))
            return Copy(row, name, expected)
        except storage_errors() as error:
            if name:
                self.target.delete(name)
            if name or isinstance(error, NotAsItWas):
                return row, self._refused(row, error)
            return row, self._unreadable(row, error)

    def _new_name(self, row: Row) -> str:
        """Return the name that the field would give, of what the file was called."""
        original = self.source.original_name(row)
        field = self.column.field
        instance = self.column.rows().get(pk=row.pk) if callable(field.upload_to) else None
        for candidate in (original, row.value if isinstance(row.value, str) else "file"):
            with suppress(SuspiciousFileOperation):
                name = self.target.generate_filename(field.generate_filename(instance, candidate))
                # In the same column nobody could tell it from one of the library.
                return f"_{name}" if names.loid_of(name) is not None else name
        return "file"

    @contextmanager
    def _reserved(self, name: str) -> Iterator[str]:
        """Yield a name that no other file has, nor gets meanwhile.

        A storage may overwrite, as django-storages' of S3 does unless it is told otherwise.
        """
        longest = self.column.field.max_length
        with self._lock:
            free = Storage.get_available_name(self.target, name, longest)
            while free in self._names:
                root, suffix = os.path.splitext(name)
                other = Storage.get_alternative_name(self.target, root, suffix)
                free = Storage.get_available_name(self.target, other, longest)
            self._names.add(free)
        try:
            yield free
        finally:
            self._names.discard(free)

    def _set_times(self, name: str, times: Times) -> None:
        """Give a copy the time that the file had, where it is a file of the system's."""
        modified = times[1]
        if modified is not None:
            with suppress(NotImplementedError):
                os.utime(self.target.path(name), (modified.timestamp(), modified.timestamp()))

    def _name_copies(self, rows: QuerySet[Any], part: list[Copy | Outcome]) -> list[Outcome]:
        """Let rows name their copies; a copy that no row names is deleted."""
        outcomes = [one for one in part if not isinstance(one, Copy)]
        copies = [one for one in part if isinstance(one, Copy)]
        named: dict[Row, str] = {}
        try:
            if copies:
                named = self._name_in_a_transaction(rows, copies, wait=False)
        except storage_errors():
            pass  # Each is tried by itself.
        for copy in copies:
            outcome: str | Finding = named.get(copy.row, "")
            if not outcome:
                try:
                    found = self._name_in_a_transaction(rows, [copy], wait=True)
                    outcome = found.get(copy.row, "")
                except storage_errors() as error:
                    outcome = self._refused(copy.row, error)
            if isinstance(outcome, Finding) or not outcome:
                outcome = self._delete_copy(copy, outcome)
            outcomes.append((copy.row, outcome))
        return outcomes

    def _delete_copy(self, copy: Copy, outcome: str | Finding) -> str | Finding:
        """Delete a copy that its row does not name; return what became of the row.

        An error of a COMMIT does not say whether it was done. The lock waits until it was.
        """
        alias = self.column.alias
        try:
            with transaction.atomic(using=alias):
                wait_for_locks(alias)
                row = self.column.rows().filter(pk=copy.row.pk).select_for_update(no_key=True)
                named = row.values_list(self.column.field.name, flat=True).first()
        except storage_errors() as error:
            return self._finding(
                copy.row,
                "copy-kept",
                f"nobody can tell whether it names its copy {copy.name}, which is kept:"
                f" {_words(error)}",
                "Look, and delete the copy by hand if the row names another file",
            )
        if named == copy.name:
            return copy.name
        try:
            self.target.delete(copy.name)
        except storage_errors() as error:
            return self._finding(
                copy.row,
                "copy-kept",
                f"its copy {copy.name}, which no row names, could not be deleted: {_words(error)}",
                "Delete it by hand",
            )
        return outcome

    def _name_in_a_transaction(
        self, rows: QuerySet[Any], copies: list[Copy], wait: bool
    ) -> dict[Row, str]:
        with transaction.atomic(using=self.column.alias):
            return self._name(rows, copies, wait)

    def _tell_kept(self) -> Iterator[Finding]:
        """Yield what was kept, once no row is left that may have been the reason."""
        for row, why in self._kept.items():
            if self.source.exists(row):
                yield self._finding(
                    row,
                    "not-deleted",
                    f"large object {row.value} was copied, and is kept: {why}",
                    "Leave it, or delete it by hand when nothing uses it",
                )

    def _delete(self, source: StoredFiles, moved: list[Row]) -> Iterator[Finding]:
        try:
            columns = {self.column, *file_columns()} if moved else set()
            unnamed = list(source.unnamed(moved, columns))
        except (Error, ImproperlyConfigured) as error:
            for row in moved:
                yield self._finding(
                    row,
                    "not-deleted",
                    f"{row.value} was moved, and is kept, because nobody can tell whether another"
                    f" row names it: {_words(error)}",
                    "Delete it by hand if none does",
                )
            return
        if isinstance(source.storage, DbFileStorage):
            # One transaction, or where one of them is refused, one for each.
            with suppress(Error):
                with transaction.atomic(using=db_for_write(source.storage.alias)):
                    for _, name in unnamed:
                        source.storage.delete(name)
                return
        for row, name in unnamed:
            try:
                source.storage.delete(name)
            except storage_errors() as error:
                yield self._finding(
                    row,
                    "not-deleted",
                    f"{name} was moved, and could not be deleted: {_words(error)}",
                    "Delete it by hand",
                )

    # What could not be moved

    def _finding(self, row: Row, kind: str, what: str, mend: str) -> Finding:
        name = row.value if isinstance(row.value, str) else None
        where = f"{self.column.label}, row {row.pk}"
        return Finding("error", kind, where, what, mend, name, str(row.pk))

    def _missing(self, row: Row) -> Finding:
        what = f"names {row.value}" if not isinstance(row.value, bytes) else "has a content"
        return self._finding(
            row,
            "not-in-source",
            f"{what}, which is not in the source",
            "Put it there and run it again, or make the row name nothing",
        )

    def _unreadable(self, row: Row, error: Exception) -> Finding:
        # What a storage raises for a file that is not there is not always FileNotFoundError.
        with suppress(*storage_errors()):
            if isinstance(error, FileNotFoundError) or not self.source.exists(row):
                return self._missing(row)
        return self._finding(
            row, "unreadable", f"its file cannot be read: {_words(error)}", RUN_AGAIN
        )

    def _refused(self, row: Row, error: Exception) -> Finding:
        if isinstance(error, NotAsItWas):
            return self._finding(row, "wrong-content", str(error), RUN_AGAIN)
        return self._finding(row, "refused", f"was not moved: {_words(error)}", RUN_AGAIN)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _compare_sizes(row: Row, content: File) -> None:  # type: ignore[type-arg]
    """Raise `NotAsItWas` where the catalogue has another size: of a SHA-256 it may know none."""
    if row.entry is not None and content.size != row.entry.size:
        raise NotAsItWas(f"it has {content.size:,} bytes, and by the catalogue {row.entry.size:,}")


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
