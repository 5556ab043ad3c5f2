"""What `lo_check` finds: a value, which the command prints."""

import shlex
from typing import Literal, NamedTuple

type Level = Literal["error", "warning", "unknown"]


class Finding(NamedTuple):
    """Something that is wrong (error), will be (warning), or could not be looked at (unknown)."""

    level: Level
    kind: str  # "row-without-file", and the others of docs/checking.md
    where: str  # "papers.Paper.data, row 12", "16418.pdf", "the server"
    what: str
    mend: str
    name: str | None = None  # the stored name, or the number of an object that has none
    row: str | None = None  # the primary key

    def __str__(self) -> str:
        return f"{self.level}: {self.where}: {self.what}. {self.mend}"


def restore(name: str) -> str:
    """Return how to get a file back."""
    return f"Bring it back from a backup by manage.py lo_restore {shlex.quote(name)}"
