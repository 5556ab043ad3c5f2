"""The catalogue and its large objects, changed together: each function is one statement.

The catalogue row is the lock of its object. Writers queue at it, where bare large objects answer
"tuple concurrently updated"; under REPEATABLE READ the second gets a serialization failure, where
bare large objects commit a mixture. Whatever changes an object bumps `version` in the same
statement, so that a roll-back to a savepoint never leaves a change without its version.

Knows no Django: a function takes a cursor as `lo_storage.large_objects` does.
"""

import os
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple, cast

from .large_objects import MAX_SIZE, ROW, Buffer, Cursor, bytes_of, check_end, existing
from .names import loid_of, suffix_of

TABLE = "lo_storage_largeobject"


class Entry(NamedTuple):
    """A row of the catalogue, and the whole content where it was read with it."""

    loid: int
    name: str
    original_name: str
    size: int
    sha256: str | None
    version: int
    created_at: datetime
    modified_at: datetime
    content: bytes | None = None


FIND = """
    select loid, name, original_name, size, sha256, version, created_at, modified_at
      from lo_storage_largeobject
     where name = %(name)s
"""

# Measured: 40 % faster than both by themselves, and 40 % slower than the row alone.
FIND_AND_READ = """
    select loid, name, original_name, size, sha256, version, created_at, modified_at,
           case when size < %(ahead)s then coalesce((
               select lo_get(oid, 0, %(ahead)s) from pg_largeobject_metadata where oid = loid
           ), '') end
      from lo_storage_largeobject
     where name = %(name)s
"""

NAMES = "select name from lo_storage_largeobject order by loid"

# Who does not own the object may be refused, which breaks a transaction. (Measured: to look at what
# was granted, too, makes each opening a third slower.)
OPEN = """
    select coalesce(entry.name, ''), entry.created_at, pg_has_role(object.lomowner, 'usage'),
           case when entry.size < %(ahead)s and pg_has_role(object.lomowner, 'usage')
                then lo_get(object.oid, 0, %(ahead)s) end
      from pg_largeobject_metadata object
      left join lo_storage_largeobject entry on entry.loid = object.oid
     where object.oid = %(loid)s::oid
"""

# A number is given again, to another object, which has another time: with `created_at` a statement
# finds that one object alone.
SIZE = """
    select size from lo_storage_largeobject
     where loid = %(loid)s::oid and created_at = coalesce(%(created_at)s::timestamptz, created_at)
"""

CREATE = """
    insert into lo_storage_largeobject
           (loid, name, original_name, size, sha256, version, created_at, modified_at)
    select loid, loid::text || %(suffix)s::text, %(original_name)s::text,
           length(%(data)b), %(sha256)s::text, 1, clock_timestamp(), clock_timestamp()
      from lo_from_bytea(0, %(data)b) as loid
 returning loid, name, created_at
"""

COMPLETE = """
    update lo_storage_largeobject
       set size = %(size)s, sha256 = %(sha256)s
     where loid = %(loid)s::oid
"""

# One statement has one snapshot, so what it returns was the content at one moment.
READ = """
    select lo_get(
               object.oid, piece, least(%(row)s, %(end)s::bigint - piece, entry.size - piece)::int
           )
      from lo_storage_largeobject entry
      join pg_largeobject_metadata object on object.oid = entry.loid
      left join generate_series(
               %(offset)s::bigint, least(%(end)s::bigint, entry.size) - 1, %(row)s::bigint
           ) as piece on true
     where entry.loid = %(loid)s::oid
       and entry.created_at = coalesce(%(created_at)s::timestamptz, entry.created_at)
     order by piece
"""

READ_VERSION = """
    select entry.version, entry.modified_at,
           lo_get(object.oid, piece, least(%(row)s, %(end)s::bigint - piece)::int)
      from lo_storage_largeobject entry
      join pg_largeobject_metadata object on object.oid = entry.loid
     cross join generate_series(
               %(offset)s::bigint, %(end)s::bigint - 1, %(row)s::bigint
           ) as piece
     where entry.loid = %(loid)s::oid
     order by piece
"""

# RETURNING comes after the row's lock; a row without an object makes the statement fail whole.
WRITE = """
    update lo_storage_largeobject
       set version = version + 1, modified_at = clock_timestamp(), sha256 = null,
           size = greatest(size, %(offset)s::bigint + length(%(data)b))
     where loid = %(loid)s::oid
       and created_at = coalesce(%(created_at)s::timestamptz, created_at)
 returning lo_put(loid, %(offset)s, %(data)b)
"""

APPEND = """
    update lo_storage_largeobject
       set version = version + 1, modified_at = clock_timestamp(), sha256 = null,
           size = size + length(%(data)b)
     where loid = %(loid)s::oid
       and created_at = coalesce(%(created_at)s::timestamptz, created_at)
       and size + length(%(data)b) <= %(max_size)s
 returning size, lo_put(loid, size - length(%(data)b), %(data)b)
"""

TRUNCATE = """
    with entry as (
        update lo_storage_largeobject
           set version = version + 1, modified_at = clock_timestamp(), sha256 = null,
               size = %(size)s
         where loid = %(loid)s::oid
           and created_at = coalesce(%(created_at)s::timestamptz, created_at)
     returning loid
    ), opened as materialized (
        select lo_open(loid, x'20000'::int) as fd from entry
    ), truncated as materialized (
        select fd, lo_truncate64(fd, %(size)s) from opened
    )
    select lo_close(fd) from truncated
"""

# A size needs a descriptor, which is opened, used and closed in this statement.
ADOPT = """
    with opened as materialized (
        select oid, lo_open(oid, x'40000'::int) as fd
          from pg_largeobject_metadata
         where oid = %(loid)s::oid
    ), measured as materialized (
        select oid, fd, lo_lseek64(fd, 0, 2) as size from opened
    ), closed as materialized (
        select oid, size, lo_close(fd) from measured
    )
    insert into lo_storage_largeobject
           (loid, name, original_name, size, version, created_at, modified_at)
    select oid, %(name)s::text, '', size, 1, clock_timestamp(), clock_timestamp()
      from closed
        on conflict do nothing
 returning loid
"""

DELETE = "delete from lo_storage_largeobject where name = %(name)s"


def find(cursor: Cursor, name: str, ahead: int = 0) -> Entry | None:
    """Return the row of a stored name; None, without asking, for what can be no stored name.

    With it comes the whole content of an object of fewer than `ahead` bytes.
    """
    if loid_of(name) is None:
        return None
    cursor.execute(FIND_AND_READ if ahead else FIND, {"name": name, "ahead": ahead})
    row = cursor.fetchone()
    return None if row is None else Entry(*row)


def names(cursor: Cursor) -> list[str]:
    """Return every stored name."""
    cursor.execute(NAMES)
    return [name for (name,) in cursor.fetchall()]


def open(cursor: Cursor, loid: int, ahead: int = 0) -> tuple[str, datetime | None, bool, bytes]:
    """Return the stored name and `created_at` of an object; "" and None if it is not catalogued.

    Beside them stand whether the role has the rights of the object's owner, and the whole content
    of a catalogued object of fewer than `ahead` bytes, else b"".
    """
    cursor.execute(OPEN, {"loid": loid, "ahead": ahead})
    name, created_at, is_owner, content = existing(cursor.fetchall(), loid)
    return name, created_at, is_owner, content or b""


def size(cursor: Cursor, loid: int, created_at: datetime | None = None) -> int:
    """Return the number of bytes of a catalogued object."""
    cursor.execute(SIZE, {"loid": loid, "created_at": created_at})
    (size,) = existing(cursor.fetchall(), loid)
    return cast(int, size)


def create(
    cursor: Cursor, data: Buffer, original_name: str, sha256: str | None = None
) -> tuple[int, str, datetime]:
    """Create an object that holds `data` (a few MB at the most).

    Return its OID, stored name and `created_at`.

    Of `original_name` is kept the last part of a path, without what PostgreSQL's text cannot hold:
    NUL and lone surrogates.
    """
    kept = os.path.basename(original_name).replace("\0", "").encode(errors="replace").decode()
    cursor.execute(
        CREATE,
        {"data": data, "suffix": suffix_of(kept), "original_name": kept, "sha256": sha256},
    )
    loid, name, created_at = cursor.fetchone()
    return loid, name, created_at


def complete(cursor: Cursor, loid: int, size: int, sha256: str) -> None:
    """Record size and checksum of an object that this transaction created piece by piece."""
    cursor.execute(COMPLETE, {"loid": loid, "size": size, "sha256": sha256})


def read(
    cursor: Cursor, loid: int, offset: int, end: int, created_at: datetime | None = None
) -> Iterator[bytes]:
    """Yield the content from `offset` to `end` as it was at one moment, in pieces of 256 KiB."""
    cursor.execute(
        READ,
        {"loid": loid, "created_at": created_at, "offset": offset, "end": end, "row": ROW},
    )
    return bytes_of(cursor, loid)


def read_version(
    cursor: Cursor, loid: int, offset: int, end: int, row: int
) -> tuple[int, datetime, list[bytes]]:
    """Return the version, its time, and the content of that version from `offset` to `end`.

    It comes in pieces of `row` bytes; shorter ones where the object ends before `end`.
    """
    cursor.execute(READ_VERSION, {"loid": loid, "offset": offset, "end": end, "row": row})
    rows = cursor.fetchall()
    version, modified_at, _ = existing(rows, loid)
    return version, modified_at, [piece for *_, piece in rows]


def write(
    cursor: Cursor, loid: int, offset: int, data: Buffer, created_at: datetime | None = None
) -> None:
    """Write `data` (a few MB at the most) at `offset`."""
    check_end(offset + len(data))
    cursor.execute(WRITE, {"loid": loid, "created_at": created_at, "offset": offset, "data": data})
    existing(cursor.fetchall(), loid)


def append(cursor: Cursor, loid: int, data: Buffer, created_at: datetime | None = None) -> int:
    """Write `data` (a few MB at the most) at the end; return where the end is then."""
    cursor.execute(
        APPEND, {"loid": loid, "created_at": created_at, "data": data, "max_size": MAX_SIZE}
    )
    rows = cursor.fetchall()
    if not rows:
        check_end(size(cursor, loid, created_at) + len(data))
    end, _ = existing(rows, loid)
    return cast(int, end)


def truncate(cursor: Cursor, loid: int, size: int, created_at: datetime | None = None) -> None:
    """Cut the object to `size` bytes, or extend it with zeros."""
    check_end(size)
    cursor.execute(TRUNCATE, {"loid": loid, "created_at": created_at, "size": size})
    existing(cursor.fetchall(), loid)


def adopt(cursor: Cursor, name: str) -> bool:
    """Catalogue an existing large object under `name`; tell whether there was one to catalogue."""
    loid = loid_of(name)
    if loid is None:
        return False
    cursor.execute(ADOPT, {"loid": loid, "name": name})
    return bool(cursor.fetchall())


def delete(cursor: Cursor, name: str) -> None:
    """Delete a catalogued object when the transaction commits; nothing to delete is no error."""
    if loid_of(name) is not None:
        cursor.execute(DELETE, {"name": name})
