"""Read the content of files, and compare its SHA-256 with what the catalogue has."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, Self

from django.db import Error, connections, transaction
from psycopg import Cursor

from ..catalogue import TABLE
from ..database import cursor
from ..large_objects import ROW_SIZE
from .finding import Finding, restore
from .objects import broken
from .reading import at_once, damage, reading

# What one statement reads, and of how many files at most. (Measured for 128 MiB: the server's own
# sha256() takes 0.9 s of its processor, where to read takes 0.2 s of it, and hashlib 0.2 s here.)
BYTES = 8 * 1024 * 1024
FILES = 500

# How many files are looked up at a time.
PAGE = 10_000

TO_READ = """
    from lo_storage_largeobject entry
    join pg_largeobject_metadata object
      on object.oid = loid and pg_has_role(lomowner, 'usage')
   where (sha256 is not null or %(unknown)s)
     and modified_at >= coalesce(%(since)s::timestamptz, '-infinity')
     and hashoidextended(loid, %(seed)s) & 1048575 < %(share)s * 1048576
"""

SIZE = f"select coalesce(sum(size), 0)::bigint {TO_READ}"

NEXT = f"""
    select loid::bigint, name, size, sha256, version, created_at, modified_at {TO_READ}
       and loid > %(after)s::oid
     order by loid
     limit %(page)s
"""

# What is behind the end that the catalogue knows is read, too.
READ = f"""
    select loid::bigint, entry.version, entry.modified_at,
           lo_get(object.oid, start, least(%(row_size)s, %(end)s::bigint - start)::int)
      from {TABLE} entry
      join pg_largeobject_metadata object on object.oid = loid
     cross join generate_series(
               %(offset)s::bigint, least(%(end)s::bigint - 1, size), %(row_size)s::bigint
           ) as start
     where loid = any (%(loids)s::oid[])
     order by loid, start
"""

RECORD = f"""
    update {TABLE} set sha256 = known.sha256
      from unnest(%s::oid[], %s::bigint[], %s::text[]) known (loid, version, sha256)
     where {TABLE}.loid = known.loid
       and {TABLE}.version = known.version
       and {TABLE}.sha256 is null
"""


class Selection(NamedTuple):
    """Which files are read: those written since a time, a share of them, and if unknown, too."""

    since: datetime | None = None
    share: float = 1.0
    seed: int = 0
    unknown: bool = False  # those without a SHA-256, which is recorded then


class ToRead(NamedTuple):
    loid: int
    name: str
    size: int
    sha256: str | None
    version: int
    created_at: datetime
    modified_at: datetime


class Hash(NamedTuple):
    """The SHA-256 of a content."""

    file: ToRead
    measured: str


class EachRow(Cursor[Any]):
    """Gives each row of a result to a function while it arrives, and keeps none.

    Measured: half as fast again as `fetchall()`.
    """

    def __init__(self, take: Callable[..., None], connection: Any) -> None:
        super().__init__(connection)
        self.take = take

    def execute(self, *args: Any, **kwargs: Any) -> Self:
        for row in self.stream(*args, binary=True):
            self.take(*row)
        return self


def size_of(alias: str, selection: Selection) -> int:
    """Return how many bytes would be read."""
    with reading(alias) as c:
        c.execute(SIZE, selection._asdict())
        (size,) = c.fetchone()
    return int(size)


def verify(
    alias: str, selection: Selection, jobs: int, done: Callable[[int], None]
) -> Iterator[Finding]:
    """Yield the files whose content is another than when it was stored, or cannot be read.

    Arguments:

    - `selection`: which files.
    - `jobs`: how many statements run at once.
    - `done`: is told how many bytes were read.

    A file that is written or deleted meanwhile is left out. Records what was unknown, if
    `selection` says so.
    """
    read = partial(_read, alias)
    for files, hashes, findings in at_once(jobs, read, batches(alias, selection), alias):
        _record(alias, [hash for hash in hashes if hash.file.sha256 is None])
        yield from findings
        for file, measured in hashes:
            if file.sha256 not in (None, measured):
                yield Finding(
                    "error",
                    "wrong-content",
                    file.name,
                    f"its SHA-256 is {measured}, and was {file.sha256} when it was stored",
                    restore(file.name),
                    file.name,
                )
        done(sum(file.size for file in files))


def batches(alias: str, selection: Selection) -> Iterator[list[ToRead]]:
    """Yield the files in batches that one statement reads; one that is larger comes alone."""
    batch: list[ToRead] = []
    size = 0
    for file in _files(alias, selection):
        if batch and (size + file.size > BYTES or len(batch) == FILES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch


def _files(alias: str, selection: Selection) -> Iterator[ToRead]:
    after = 0
    while True:
        with reading(alias) as c:
            c.execute(NEXT, {**selection._asdict(), "after": after, "page": PAGE})
            rows = c.fetchall()
        if not rows:
            return
        yield from map(ToRead._make, rows)
        after = rows[-1][0]


def _read(alias: str, files: list[ToRead]) -> tuple[list[ToRead], list[Hash], list[Finding]]:
    """Return the files, the SHA-256 of each that is as it was, and what cannot be read."""
    try:
        return files, _hashes(alias, files), []
    except Error as error:
        what = damage(error)
    if len(files) == 1:
        return files, [], [broken(files[0].name, "content", what)]
    hashes, findings = [], []
    for file in files:
        _, its_hash, its_findings = _read(alias, [file])
        hashes += its_hash
        findings += its_findings
    return files, hashes, findings


def _hashes(alias: str, files: list[ToRead]) -> list[Hash]:
    """Return the SHA-256 of those files that are as they were when they were selected."""
    digests = {file.loid: hashlib.sha256() for file in files}
    versions: dict[int, set[tuple[int, datetime]]] = {file.loid: set() for file in files}

    def take(loid: int, version: int, modified_at: datetime, content: bytes) -> None:
        versions[loid].add((version, modified_at))
        digests[loid].update(content)

    for offset in range(0, max(file.size for file in files) + 1, BYTES):
        with reading(alias), cursor(alias, partial(EachRow, take)) as c:
            c.execute(
                READ,
                {
                    "loids": list(digests),
                    "offset": offset,
                    "end": offset + BYTES,
                    "row_size": ROW_SIZE,
                },
            )
    return [
        Hash(file, digests[file.loid].hexdigest())
        for file in files
        if versions[file.loid] == {(file.version, file.modified_at)}
    ]


def _record(alias: str, hashes: list[Hash]) -> None:
    if hashes:
        rows = ((file.loid, file.version, measured) for file, measured in hashes)
        columns = zip(*rows, strict=True)
        with transaction.atomic(using=alias), connections[alias].cursor() as c:
            c.execute(RECORD, [list(column) for column in columns])
