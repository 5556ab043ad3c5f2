"""Which files would have to come out of a backup."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from ..names import loid_of
from .finding import Finding
from .objects import check_files, parts
from .rows import Naming, check_rows, naming_columns
from .verifying import Selection, verify


def missing(
    alias: str, jobs: int = 1, content: bool = False, done: Callable[[int], None] = lambda n: None
) -> Iterator[str]:
    """Yield the name of each file that `lo_check` finds missing or damaged.

    Arguments:

    - `jobs`: how many connections look at once.
    - `content`: read each file, and yield those of another content, too.
    - `done`: is told how many files were looked at.
    """
    kinds = ("row-without-file", "file-without-object", "wrong-size", "wrong-content")
    columns = [one for one in naming_columns(alias) if isinstance(one, Naming)]
    findings: Iterable[Finding] = chain(
        *(check_rows(alias, column) for column in columns),
        check_files(alias, parts(alias), jobs, done),
        verify(alias, Selection(), jobs, lambda size: None) if content else (),
    )
    for one in findings:
        if one.kind in kinds and one.name and loid_of(one.name) is not None:
            yield one.name
