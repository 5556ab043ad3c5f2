"""Field by field: the file of each row is copied, verified, and named by the row."""

from collections.abc import Callable, Iterable, Iterator
from itertools import batched, takewhile

from .. import names
from ..database import db_for_write
from ..models import LargeObject
from ..storage import DbFileStorage
from ..upkeep.finding import Finding
from .adopting import adopt_object
from .contents import storage_errors
from .copying import Copying
from .deleting import delete_moved
from .moves import Move
from .outcomes import Moved, Outcome, finding, missing, unreadable
from .renaming import Renaming
from .rows import as_key, pages
from .sources import Row, StoredFiles
from .storing import Storing

# How many rows a thread looks at, one after the other.
PART = 32

# What moves some rows, part by part, and tells what became of them.
type Steps = Callable[[Iterable[list[Row]]], Iterator[list[Outcome]]]


def run(
    move: Move,
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
    if move.is_in_place() and isinstance(move.target, DbFileStorage) and not dry_run:
        _make_empty_ones_null(move)
    numbers = _numbers(move)
    renaming = Renaming(move)
    steps = _steps(move, renaming)
    for page in pages(move.rows(), "value", "named"):
        found = [Row(pk, as_key(value), str(named or "")) for pk, value, named in page]
        todo: list[Row] = []
        for one in _sort(move, found, numbers):
            if isinstance(one, Row):
                todo.append(one)
            else:
                yield one
        yield from _look(move, todo) if dry_run else _move(move, renaming, steps, todo, stopped)
        if stopped():
            break
        done(len(page))
    yield from renaming.tell_kept()


def _make_empty_ones_null(move: Move) -> None:
    """Let rows without a file have NULL: a foreign key takes '' for the name of one."""
    field = move.column.field
    if field.null:
        move.column.rows().filter(**{field.name: ""}).update(**{field.name: None})


def _numbers(move: Move) -> set[str] | None:
    """Return which names of the source could be of the library, too."""
    if move.is_in_place() and isinstance(move.target, DbFileStorage):
        assert isinstance(move.source, StoredFiles)
        return move.source.numbers()
    return set()


def _sort(move: Move, rows: list[Row], numbers: set[str] | None) -> Iterator[Row | Finding]:
    """Yield the rows to move, with what the catalogue has of them, and what cannot be."""
    if not isinstance(move.source, StoredFiles):
        yield from rows
        return
    library = move.source.storage
    if move.is_in_place() and isinstance(move.target, DbFileStorage):
        library = move.target
    entries: dict[str, LargeObject] = {}
    if isinstance(library, DbFileStorage):
        catalogued = LargeObject.objects.using(db_for_write(library.alias))
        entries = {
            entry.name: entry for entry in catalogued.filter(name__in=[row.value for row in rows])
        }
    for row in rows:
        entry = entries.get(row.value)
        if library is move.source.storage:
            if entry is not None or not isinstance(library, DbFileStorage):
                yield row._replace(entry=entry)
            elif not move.is_in_place() or names.loid_of(row.value) is not None:
                yield finding(
                    move.column,
                    row,
                    "not-in-source",
                    f"names {row.value}, which the catalogue does not have",
                    "Bring it back from a backup, or make the row name nothing",
                )
        elif entry is None:
            yield row
        elif row.value in numbers if numbers is not None else move.source.exists(row):
            yield finding(
                move.column,
                row,
                "two-files",
                f"names {row.value}, which the library and the source have both",
                "Rename the file in the source, and let the row name it so, if it is that one",
            )


def _look(move: Move, rows: Iterable[Row]) -> Iterator[Moved | Finding]:
    for row in rows:
        try:
            there = move.source.exists(row)
            if move.keeps_names() and move.target.exists(row.value):
                continue
        except storage_errors() as error:
            yield unreadable(move.column, move.source, row, error)
            continue
        if there:
            yield Moved(move.column.label, row.pk, "")
        else:
            yield missing(move.column, row)


def _steps(move: Move, renaming: Renaming) -> Steps:
    if move.adopt:
        return lambda parts: ([adopt_object(move, renaming, row)] for part in parts for row in part)
    return Storing(move, renaming).steps if move.is_ours() else Copying(move, renaming).steps


def _move(
    move: Move, renaming: Renaming, steps: Steps, todo: list[Row], stopped: Callable[[], bool]
) -> Iterator[Moved | Finding]:
    parts = takewhile(lambda part: not stopped(), map(list, batched(todo, PART)))
    moved: dict[Row, str] = {}
    for step in steps(parts):
        for row, outcome in step:
            if isinstance(outcome, Finding):
                renaming.forget(row)
                yield outcome
            elif outcome:
                moved[row] = outcome
                yield Moved(move.column.label, row.pk, outcome)
    # Page by page: to see whether a row names a file may take a look at all of them.
    if move.delete and isinstance(move.source, StoredFiles):
        yield from delete_moved(move, move.source, moved)
