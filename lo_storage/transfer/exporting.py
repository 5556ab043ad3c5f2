"""All files of a database, written to a folder that anybody can use.

The folder is a bag: `data/papers.Paper/data/12/march.pdf` is the file that the field `data` of the
`Paper` with the primary key 12 names, and `index.csv` has what a path cannot have.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import batched
from pathlib import Path
from typing import TextIO

from django.core.files import locks
from django.db import connections, transaction
from django.utils import timezone

from ..catalogue import SMALL_SIZE
from ..upkeep.finding import Finding
from . import bags
from .bags import MANIFEST, TAG_MANIFEST
from .contents import NotAsItWas, compare, read_small
from .folders import JOURNAL, delete_others, is_there, strange, write_one
from .index import INDEX, Line, cells, writer
from .listing import Naming, Stored, Unreadable, files, slices
from .outcomes import Moved
from .sources import CannotBegin

# How many files are looked at together.
PAGE = 64


def export_all(
    alias: str, folder: Path, done: Callable[[int], None], stopped: Callable[[], bool]
) -> Iterator[Moved | Finding]:
    """Write all files of one moment to a folder, after `begin`; those that are there are kept.

    Arguments:

    - `done`: is told how many bytes were written or found.
    - `stopped`: whether to come to an end. The folder is no bag then, and the next run goes on.
    """
    with open(folder / JOURNAL, "a+", encoding="utf-8", newline="\n", buffering=1) as journal:
        if not locks.lock(journal, locks.LOCK_EX | locks.LOCK_NB):
            raise CannotBegin(f"another lo_export writes to {folder}; wait for it")
        journal.seek(0)
        lines = journal.read().split("\n")
        if lines[-1]:
            journal.write("\n")  # A line that was not written to its end.
        before = set(map(bags.decoded, lines[1:-1]))
        yield from _export(alias, folder, done, stopped, journal, before)
    if (folder / TAG_MANIFEST).exists():
        (folder / JOURNAL).unlink()


def _export(
    alias: str,
    folder: Path,
    done: Callable[[int], None],
    stopped: Callable[[], bool],
    journal: TextIO,
    before: set[str],
) -> Iterator[Moved | Finding]:
    """Write all files; `before` are those that an interrupted export wrote."""
    written: set[str] | None = set() if before else None
    (folder / TAG_MANIFEST).unlink(missing_ok=True)
    size = number = 0
    with (
        transaction.atomic(using=alias),
        open(folder / f"{MANIFEST}.part", "w", encoding="utf-8", newline="\n") as manifest,
        open(folder / f"{INDEX}.part", "w", encoding="utf-8", newline="") as text,
    ):
        index = writer(text)
        with connections[alias].cursor() as c:
            c.execute("set transaction isolation level repeatable read, read only")
        for page in batched(files(alias), PAGE):
            if stopped():
                return
            for file, namings, sha256 in _write(alias, folder, page, journal, before):
                if isinstance(sha256, Finding):
                    yield sha256
                    continue
                manifest.write(f"{sha256}  {bags.encoded(file.path)}\n")
                for naming in namings or [Naming(".", "", "")]:
                    index.writerow(cells(_line(file, naming, sha256)))
                if written is not None:
                    written.add(file.path)
                size, number = size + file.size, number + 1
                done(file.size)
                yield Moved(namings[0].label if namings else "", file.loid, file.path)
    if written is not None:
        delete_others(folder, before, written)
    (folder / "file.part").unlink(missing_ok=True)
    for name in (MANIFEST, INDEX):
        os.replace(folder / f"{name}.part", folder / name)
    (folder / "data").mkdir(exist_ok=True)
    info = {
        "Bagging-Date": timezone.localdate().isoformat()
        if timezone.is_aware(timezone.now())
        else timezone.now().date().isoformat(),
        "Bag-Software-Agent": "lo_export --all",
    }
    bags.close(folder, size, number, info)


def _write(
    alias: str,
    folder: Path,
    page: Iterable[tuple[Stored, list[Naming]]],
    journal: TextIO,
    before: set[str],
) -> Iterator[tuple[Stored, list[Naming], str | Finding]]:
    """Write the files that are not there; yield each with the SHA-256 of what is there now."""
    page = list(page)
    new = {file.name for file, _ in page if not is_there(folder, file)}
    contents = read_small(
        alias, [file.name for file, _ in page if file.name in new and file.size < SMALL_SIZE]
    )
    for file, namings in page:
        sha256: str | Finding = file.sha256 or ""
        if file.name in new:
            if file.path not in before:
                if os.path.lexists(folder / file.path):
                    raise strange(folder / file.path)
                journal.write(f"{bags.encoded(file.path)}\n")
            try:
                content = [contents[file.name]] if file.name in contents else slices(alias, file)
                sha256 = write_one(folder, file, content)
                compare(sha256, file.sha256 or sha256)
            except (Unreadable, NotAsItWas) as error:
                with suppress(FileNotFoundError):
                    (folder / file.path).unlink()
                words = " ".join(str(error).split())
                sha256 = Finding(
                    "error",
                    "wrong-content" if isinstance(error, NotAsItWas) else "unreadable",
                    file.name,
                    f"was not written: {words}",
                    "Look with manage.py lo_check, and bring it back from a backup",
                    file.name,
                )
        yield file, namings, sha256


def _line(file: Stored, naming: Naming, sha256: str) -> Line:
    app, _, model = naming.label.partition(".")
    return Line(
        app,
        model,
        naming.key,
        naming.field,
        file.path,
        file.original_name,
        file.name,
        str(file.size),
        sha256,
        file.created_at.isoformat(),
        file.modified_at.isoformat(),
    )
