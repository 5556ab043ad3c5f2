"""Read the content of files, and compare its SHA-256 with what the catalogue has."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple

from django.db import connections, transaction

from .. import catalogue
from ..catalogue import TABLE
from ..database import cursor
from .checking import restore
from .finding import Finding
from .reading import at_once, reading

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

READ = f"""
    select loid, name, sha256, version, lo_get(object.oid, 0, size::int + 1)
      from {TABLE}
      join pg_largeobject_metadata object on object.oid = loid
     where loid = any (%(loids)s::oid[]) and size <= %(most)s
     order by loid
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
    """The SHA-256 of a content, and what the catalogue has."""

    loid: int
    name: str
    sha256: str | None
    version: int
    measured: str


def size_of(alias: str, selection: Selection) -> int:
    """Return how many bytes would be read."""
    with reading(alias) as c:
        c.execute(SIZE, selection._asdict())
        (size,) = c.fetchone()
    return int(size)


def verify(
    alias: str, selection: Selection, jobs: int, done: Callable[[int], None]
) -> Iterator[Finding]:
    """Yield the files whose content is another than when it was stored.

    Arguments:

    - `selection`: which files.
    - `jobs`: how many statements run at once.
    - `done`: is told how many bytes were read.

    A file that is written or deleted meanwhile is left out. Records what was unknown, if
    `selection` says so.
    """

    def read(files: list[ToRead]) -> tuple[int, list[Hash]]:
        is_large = files[0].size > BYTES
        hashes = _of_large(alias, files[0]) if is_large else _of_small(alias, files)
        return sum(file.size for file in files), hashes

    for size, hashes in at_once(jobs, read, batches(alias, selection), alias):
        _record(alias, [hash for hash in hashes if hash.sha256 is None])
        for hash in hashes:
            if hash.sha256 not in (None, hash.measured):
                yield Finding(
                    "error",
                    "wrong-content",
                    hash.name,
                    f"its SHA-256 is {hash.measured}, and was {hash.sha256} when it was stored",
                    restore(hash.name),
                    hash.name,
                )
        done(size)


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


def _of_small(alias: str, files: list[ToRead]) -> list[Hash]:
    with reading(alias), cursor(alias) as c:
        # One that has grown meanwhile is left out.
        c.execute(READ, {"loids": [file.loid for file in files], "most": BYTES})
        return [
            Hash(loid, name, sha256, version, hashlib.sha256(content).hexdigest())
            for loid, name, sha256, version, content in c.fetchall()
        ]


def _of_large(alias: str, file: ToRead) -> list[Hash]:
    digest, expected = hashlib.sha256(), (file.version, file.modified_at)
    for offset in range(0, file.size, BYTES):
        try:
            with cursor(alias) as c:
                version, rows = catalogue.read_rows(
                    c, file.loid, offset, offset + BYTES, file.created_at
                )
        except FileNotFoundError:
            return []
        if version != expected:
            return []
        for row in rows:
            digest.update(row)
    return [Hash(file.loid, file.name, file.sha256, file.version, digest.hexdigest())]


def _record(alias: str, hashes: list[Hash]) -> None:
    if hashes:
        columns = zip(*((hash.loid, hash.version, hash.measured) for hash in hashes), strict=True)
        with transaction.atomic(using=alias), connections[alias].cursor() as c:
            c.execute(RECORD, [list(column) for column in columns])
