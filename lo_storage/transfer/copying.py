"""Files are copied to another storage, read again there, and then named by their rows."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import Condition

from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage
from django.db import Error, transaction

from .. import names
from ..database import db_for_read
from ..storage import DbFileStorage
from ..upkeep.finding import Finding
from ..upkeep.reading import at_once
from .contents import NotAsItWas, Times, compare, read_small, sha256_of, storage_errors
from .moves import Move
from .outcomes import Outcome, finding, refused, unreadable, words
from .renaming import Copy, Renaming
from .rows import file_columns, wait_for_locks
from .sources import Row, StoredFiles, compare_sizes


class Copying:
    """Copies the files of a move to its target."""

    def __init__(self, move: Move, renaming: Renaming) -> None:
        self._move, self._renaming = move, renaming
        self._taken: set[str] = set()
        self._free = Condition()

    def steps(self, parts: Iterable[list[Row]]) -> Iterator[list[Outcome]]:
        """Move rows, and yield what became of some; parts of them are copied at once."""
        copies = at_once(self._move.jobs, self._copy, parts, self._move.column.alias)
        return map(self._name_copies, copies)

    def _copy(self, rows: list[Row]) -> list[Copy | Outcome]:
        contents: dict[str, bytes] = {}
        source = self._move.source
        if isinstance(source, StoredFiles) and isinstance(source.storage, DbFileStorage):
            contents = read_small(db_for_read(source.storage.alias), [row.value for row in rows])
        return [self._copy_one(row, contents.get(row.value)) for row in rows]

    def _copy_one(self, row: Row, known: bytes | None) -> Copy | Outcome:
        move, name = self._move, ""
        try:
            with move.source.open(row) if known is None else ContentFile(known) as file:
                content = file if isinstance(file, File) else File(file)
                compare_sizes(row, content)
                expected = move.source.sha256(row) or sha256_of(content)
                content.seek(0)
                with self._reserved(row) as free:
                    if move.keeps_names() and move.target.exists(free):
                        return self._found(row, expected)
                    name = move.target.save(free, content, max_length=move.column.field.max_length)
            with move.target.open(name) as copy:
                compare(sha256_of(copy), expected)
            self._set_times(name, move.source.times(row))
            return Copy(row, name, expected)
        except storage_errors() as error:
            if name:
                move.target.delete(name)
            if name or isinstance(error, NotAsItWas):
                return row, refused(move.column, row, error)
            if self._was_moved(row):
                return row, ""
            return row, unreadable(move.column, move.source, row, error)

    def _found(self, row: Row, expected: str) -> Copy | Outcome:
        """Return what is in the target by the name of a row, if it is the same file."""
        with self._move.target.open(row.value) as there:
            if sha256_of(there) == expected:
                return Copy(row, row.value, expected, is_new=False)
        return row, finding(
            self._move.column,
            row,
            "two-files",
            f"names {row.value}, and the two storages have another content by that name",
            "Delete that in the target, if it is a copy that was cut off; else rename the file of"
            " this row in the source, and let the row name it so",
        )

    def _was_moved(self, row: Row) -> bool:
        """Whether the target alone has the file of a row."""
        with suppress(*storage_errors()):
            return (
                self._move.keeps_names()
                and not self._move.source.exists(row)
                and self._move.target.exists(row.value)
            )
        return False

    def _new_name(self, row: Row) -> str:
        """Return the name that the field would give, of what the file was called."""
        original = self._move.source.original_name(row)
        field = self._move.column.field
        instance = self._move.column.rows().get(pk=row.pk) if callable(field.upload_to) else None
        for candidate in (original, row.value if isinstance(row.value, str) else "file"):
            with suppress(SuspiciousFileOperation):
                name = field.generate_filename(instance, candidate)
                name = self._move.target.generate_filename(name)
                # In the same column nobody could tell it from one of the library.
                return f"_{name}" if names.loid_of(name) is not None else name
        return "file"

    def _set_times(self, name: str, times: Times) -> None:
        """Give a copy the time that the file had, where it is a file of the system's."""
        modified = times[1]
        if modified is not None:
            with suppress(NotImplementedError):
                path = self._move.target.path(name)
                os.utime(path, (modified.timestamp(), modified.timestamp()))

    def _name_copies(self, part: list[Copy | Outcome]) -> list[Outcome]:
        """Let rows name their copies; a copy that no row names is deleted."""
        outcomes = [one for one in part if not isinstance(one, Copy)]
        copies = [one for one in part if isinstance(one, Copy)]
        named: dict[Row, str] = {}
        try:
            if copies:
                named = self._name_in_a_transaction(copies, wait=False)
        except storage_errors():
            pass  # Each is tried by itself.
        for copy in copies:
            outcome: str | Finding = named.get(copy.row, "")
            if not outcome:
                try:
                    found = self._name_in_a_transaction([copy], wait=True)
                    outcome = found.get(copy.row, "")
                except storage_errors() as error:
                    outcome = refused(self._move.column, copy.row, error)
            if isinstance(outcome, Finding) or not outcome:
                outcome = self._delete_copy(copy, outcome)
            elif not copy.is_new and not self._move.delete:
                outcome = ""  # There was nothing to do.
            outcomes.append((copy.row, outcome))
        return outcomes

    def _delete_copy(self, copy: Copy, outcome: str | Finding) -> str | Finding:
        """Delete a copy that its row does not name; return what became of the row.

        An error of a COMMIT does not say whether it was done. The lock waits until it was.
        """
        alias = self._move.column.alias
        try:
            with transaction.atomic(using=alias):
                wait_for_locks(alias)
                row = self._move.column.rows().filter(pk=copy.row.pk)
                names_of = row.values_list(self._move.column.field.name, flat=True)
                named = names_of.select_for_update(no_key=True).first()
        except storage_errors() as error:
            return finding(
                self._move.column,
                copy.row,
                "copy-kept",
                f"nobody can tell whether it names its copy {copy.name}, which is kept:"
                f" {words(error)}",
                "Look, and delete the copy by hand if the row names another file",
            )
        if named == copy.name:
            return copy.name
        try:
            if not self._is_of_others(copy):
                self._move.target.delete(copy.name)
        except storage_errors() as error:
            return finding(
                self._move.column,
                copy.row,
                "copy-kept",
                f"its copy {copy.name}, which no row names, could not be deleted: {words(error)}",
                "Delete it by hand",
            )
        return outcome

    def _is_of_others(self, copy: Copy) -> bool:
        """Whether a copy was there before, or another row names the file by the same name."""
        if not self._move.keeps_names():
            return False
        if not copy.is_new:
            return True
        files = StoredFiles(self._move.target, self._move.column)
        try:
            columns = {self._move.column, *file_columns()}
            return not list(files.unnamed([copy.row._replace(value=copy.name)], columns))
        except (Error, ImproperlyConfigured):
            return True  # Nobody can tell.

    @contextmanager
    def _reserved(self, row: Row) -> Iterator[str]:
        """Yield a name that nobody else takes meanwhile, and that no other file has.

        A storage may overwrite, as django-storages' of S3 does unless it is told otherwise.
        """
        name = row.value if self._move.keeps_names() else self._new_name(row)
        with self._free:
            if self._move.keeps_names():
                self._free.wait_for(lambda: name not in self._taken)
            else:
                name = self._available(name)
            self._taken.add(name)
        try:
            yield name
        finally:
            with self._free:
                self._taken.discard(name)
                self._free.notify_all()

    def _available(self, name: str) -> str:
        longest, target = self._move.column.field.max_length, self._move.target
        free = Storage.get_available_name(target, name, longest)
        while free in self._taken:
            root, suffix = os.path.splitext(name)
            other = Storage.get_alternative_name(target, root, suffix)
            free = Storage.get_available_name(target, other, longest)
        return free

    def _name_in_a_transaction(self, copies: list[Copy], wait: bool) -> dict[Row, str]:
        with transaction.atomic(using=self._move.column.alias):
            return self._renaming.name(copies, wait)
