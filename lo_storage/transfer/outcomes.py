"""What became of a row whose file is moved: it was, or why it was not, and what to do."""

from contextlib import suppress
from typing import Any, NamedTuple

from ..upkeep.finding import Finding
from .contents import NotAsItWas, storage_errors
from .rows import Column
from .sources import Row, Source

RUN_AGAIN = "Run it again"


class Moved(NamedTuple):
    """A row that names its new file."""

    column: str
    pk: Any
    name: str


# A row, and the name that it has now, or why it has none; "" where it changed meanwhile.
type Outcome = tuple[Row, str | Finding]


def finding(column: Column, row: Row, kind: str, what: str, mend: str) -> Finding:
    """Return what is wrong with a row of a column."""
    name = row.value if isinstance(row.value, str) else None
    where = f"{column.label}, row {row.pk}"
    return Finding("error", kind, where, what, mend, name, str(row.pk))


def missing(column: Column, row: Row) -> Finding:
    """Return that the file of a row is not there."""
    what = f"names {row.value}" if not isinstance(row.value, bytes) else "has a content"
    return finding(
        column,
        row,
        "not-in-source",
        f"{what}, which is not in the source",
        "Put it there and run it again, or make the row name nothing",
    )


def unreadable(column: Column, source: Source, row: Row, error: Exception) -> Finding:
    """Return that the file of a row is not there, or cannot be read."""
    # What a storage raises for a file that is not there is not always FileNotFoundError.
    with suppress(*storage_errors()):
        if isinstance(error, FileNotFoundError) or not source.exists(row):
            return missing(column, row)
    return finding(column, row, "unreadable", f"its file cannot be read: {words(error)}", RUN_AGAIN)


def refused(column: Column, row: Row, error: Exception) -> Finding:
    """Return why the file of a row was not moved."""
    if isinstance(error, NotAsItWas):
        return finding(column, row, "wrong-content", str(error), RUN_AGAIN)
    return finding(column, row, "refused", f"was not moved: {words(error)}", RUN_AGAIN)


def words(error: Exception) -> str:
    """Return what an error says, in a line."""
    return " ".join(str(error).split()) or type(error).__name__
