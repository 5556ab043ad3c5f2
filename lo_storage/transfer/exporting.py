"""All files of a database, written to a folder that anybody can use.

The folder is a bag: `data/papers.Paper/data/12/march.pdf` is the file that the field `data` of the
`Paper` with the primary key 12 names, and `index.csv` has what a path cannot have.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import batched, groupby
from pathlib import Path
from typing import NamedTuple, TextIO

from django.core.files import locks
from django.db import Error, connections, models, transaction
from django.utils import timezone

from .. import catalogue
from ..catalogue import SMALL_SIZE
from ..database import cursor, savepoint
from ..models import LargeObject
from ..upkeep.columns import columns_beside
from ..upkeep.finding import Finding
from . import bags
from .bags import MANIFEST, TAG_MANIFEST, NotABag, inside, safe_name, sha256_of
from .contents import (
    NotAsItWas,
    compare,
    read_small,
)
from .index import INDEX, Line, cells, writer
from .outcomes import Moved
from .rows import has_table
from .sources import CannotBegin

# What a folder has until its export is whole: what it is, and the path of each file in it.
JOURNAL = "lo_export.part"
MAKER = "An export of lo_export --all that is not whole. Run it again, and it goes on.\n"

# What an interrupted export may have left.
OURS = {
    *(JOURNAL, f"{MANIFEST}.part", f"{INDEX}.part", "file.part", "data", MANIFEST, INDEX),
    *("bag-info.txt", "bagit.txt", TAG_MANIFEST),
}

# How many files are looked at together, and how much of a large one is read at a time.
PAGE = 64
SLICE = 8 * 1024 * 1024

FILES = """
    select entry.loid::bigint, entry.name, entry.original_name, entry.size, entry.sha256,
           entry.created_at, entry.modified_at, naming.label, naming.field, naming.key
      from lo_storage_largeobject entry
      left join ({rows}) naming on naming.name = entry.name
     order by entry.loid, naming.place, naming.key
"""

ROWS = """
    select {place} as place, %s::text as label, %s::text as field, {key} as key,
           {column}::text as name
      from {table}
     where {column} is not null
"""


class Unreadable(Exception):
    """The database does not give a content. (What the folder does not take is an `OSError`.)"""


class Naming(NamedTuple):
    """A row that names a file: the model, its field, and the row's key as text."""

    label: str
    field: str
    key: str


class Stored(NamedTuple):
    """A file of the database, and where it is in the folder."""

    loid: int
    name: str
    original_name: str
    size: int
    sha256: str | None
    created_at: datetime
    modified_at: datetime
    path: str


def size_of(alias: str) -> int:
    """Return how many bytes the files of a database have."""
    total = LargeObject.objects.using(alias).aggregate(total=models.Sum("size"))["total"]
    return int(total or 0)


def begin(folder: Path) -> None:
    """Make the folder, or raise `CannotBegin` where it has something else in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = {path.name for path in folder.iterdir()}
        if not there:
            with open(folder / JOURNAL, "x", encoding="utf-8", newline="\n") as journal:
                journal.write(MAKER)
            return
        goes_on = JOURNAL in there and _is_ours(folder / JOURNAL)
    except OSError as error:
        raise CannotBegin(f"{folder} cannot be made or read: {error.strerror}") from error
    if not goes_on:
        if "bagit.txt" in there:
            raise CannotBegin(f"{folder} has a whole export already; name another folder")
        raise CannotBegin(f"{folder} is not empty, and has no export that was interrupted")
    for name in sorted(there):
        if name not in OURS or (folder / name).is_symlink():
            raise _strange(folder / name)


def _is_ours(journal: Path) -> bool:
    with open(journal, "rb") as file:
        return file.readline(len(MAKER)) == MAKER.encode()


def _strange(path: Path) -> CannotBegin:
    return CannotBegin(f"{path} is of no export; take it out of the folder, and run it again")


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
    size = files = 0
    with (
        transaction.atomic(using=alias),
        open(folder / f"{MANIFEST}.part", "w", encoding="utf-8", newline="\n") as manifest,
        open(folder / f"{INDEX}.part", "w", encoding="utf-8", newline="") as text,
    ):
        index = writer(text)
        with connections[alias].cursor() as c:
            c.execute("set transaction isolation level repeatable read, read only")
        for page in batched(_files(alias), PAGE):
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
                size, files = size + file.size, files + 1
                done(file.size)
                yield Moved(namings[0].label if namings else "", file.loid, file.path)
    if written is not None:
        _delete_others(folder, before, written)
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
    bags.close(folder, size, files, info)


def _files(alias: str) -> Iterator[tuple[Stored, list[Naming]]]:
    """Yield each file, with the rows that name it."""
    connection = connections[alias]
    quote = connection.ops.quote_name
    rows, params = [], []
    for place, (model, field) in enumerate(columns_beside(alias)):
        if not has_table(model, alias):
            continue
        keys = [quote(key.column) for key in getattr(model._meta, "pk_fields", [model._meta.pk])]
        key = (
            f"{keys[0]}::text" if len(keys) == 1 else f"jsonb_build_array({', '.join(keys)})::text"
        )
        rows.append(
            ROWS.format(
                place=place, key=key, column=quote(field.column), table=quote(model._meta.db_table)
            )
        )
        params += [model._meta.label, field.name]
    nothing = "select 0 as place, '' as label, '' as field, '' as key, null::text as name"
    query = FILES.format(rows=" union all ".join(rows) or nothing)
    with connection.chunked_cursor() as c:
        c.execute(query, params)
        found = (row for page in iter(lambda: c.fetchmany(2000), []) for row in page)
        for _, same in groupby(found, key=lambda row: row[0]):
            group = list(same)
            namings = [Naming(*row[7:]) for row in group if row[7] is not None]
            loid, name, original_name, *_ = group[0]
            first = namings[0] if namings else Naming("without a row", "", "")
            folders = [part for part in (first.label, first.field) if part]
            key = first.key if _is_plain(first.key) else f"file {loid}"
            path = "/".join(["data", *folders, key, safe_name(original_name, name)])
            yield Stored._make([*group[0][:7], path]), namings


def _is_plain(key: str) -> bool:
    """Whether a key can be a folder, and is no other on a disk without large and small letters."""
    return (
        bool(key) and len(key) <= 100 and set(key) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    )


def _write(
    alias: str,
    folder: Path,
    page: Iterable[tuple[Stored, list[Naming]]],
    journal: TextIO,
    before: set[str],
) -> Iterator[tuple[Stored, list[Naming], str | Finding]]:
    """Write the files that are not there; yield each with the SHA-256 of what is there now."""
    page = list(page)
    new = {file.name for file, _ in page if not _is_there(folder, file)}
    contents = read_small(
        alias, [file.name for file, _ in page if file.name in new and file.size < SMALL_SIZE]
    )
    for file, namings in page:
        sha256: str | Finding = file.sha256 or ""
        if file.name in new:
            if file.path not in before:
                if os.path.lexists(folder / file.path):
                    raise _strange(folder / file.path)
                journal.write(f"{bags.encoded(file.path)}\n")
            try:
                content = [contents[file.name]] if file.name in contents else _slices(alias, file)
                sha256 = _write_one(folder, file, content)
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


def _is_there(folder: Path, file: Stored) -> bool:
    path = folder / file.path
    return (
        file.sha256 is not None
        and path.is_file()
        and path.stat().st_size == file.size
        and sha256_of(path) == file.sha256
    )


def _slices(alias: str, file: Stored) -> Iterator[bytes]:
    for offset in range(0, file.size, SLICE):
        try:
            with savepoint(alias), cursor(alias) as c:
                end = offset + SLICE
                _, rows = catalogue.read_rows(c, file.loid, offset, end, file.created_at)
        except FileNotFoundError as error:
            raise Unreadable("its large object is not there") from error
        except (PermissionError, Error) as error:
            raise Unreadable(str(error)) from error
        yield from rows


def _write_one(folder: Path, file: Stored, content: Iterable[bytes]) -> str:
    """Write a file, which appears when it is whole; return the SHA-256 of it."""
    digest, size = hashlib.sha256(), 0
    part = folder / "file.part"
    with open(part, "wb") as out:
        for chunk in content:
            digest.update(chunk)
            size += out.write(chunk)
    if size != file.size:
        raise NotAsItWas(f"it has {size:,} bytes, and by the catalogue {file.size:,}")
    os.utime(part, (file.modified_at.timestamp(), file.modified_at.timestamp()))
    path = folder / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    os.replace(part, path)
    return digest.hexdigest()


def _delete_others(folder: Path, before: set[str], written: set[str]) -> None:
    """Delete what an interrupted export wrote and the database has no more.

    Raises `CannotBegin` for what no export wrote.
    """
    for path in before - written:
        with suppress(NotABag):
            inside(folder, path).unlink()
    for found in sorted((folder / "data").rglob("*"), reverse=True):
        if found.is_dir() and not found.is_symlink():
            with suppress(OSError):  # It is not empty.
                found.rmdir()
        elif found.relative_to(folder).as_posix() not in written:
            raise _strange(found)


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
