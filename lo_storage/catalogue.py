"""The catalogue and its large objects. A statement that changes an object changes its row, too.

(Only `save()` of a new file, which nobody else sees yet, writes first and completes the row then.)

The row is the lock of its object. Two writers queue at it; without it the second would fail with
"tuple concurrently updated". Under REPEATABLE READ the second fails to serialize; without the row
both would commit, and the content would be a mixture.

The statement that changes a content also bumps `version`: a roll-back to a savepoint undoes both,
or neither.

PostgreSQL may use a deleted object's number again, for an object of another `created_at`. By both a
statement finds the right object, or none.

This module knows no Django: its functions take a cursor as those of `large_objects` do.
"""

import errno
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from .large_objects import (
    INV_READ,
    INV_WRITE,
    MAX_SIZE,
    ROW_SIZE,
    Buffer,
    Cursor,
    check_end,
    existing,
)
from .names import loid_of, suffix_of

TABLE = "lo_storage_largeobject"

# A content below this is read by the statement that finds its row.
SMALL_SIZE = ROW_SIZE


# What tells a content from every other one: version, which a roll-back takes back, and modified_at.
type Version = tuple[int, datetime]


class Entry(NamedTuple):
    """A row of the catalogue; `content` is None where the content was not read with it."""

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

# Measured: 40 % faster than two statements, 40 % slower than the row alone.
FIND_AND_READ = """
    select loid, name, original_name, size, sha256, version, created_at, modified_at,
           case when size < %(content_below)s then coalesce((
               select lo_get(oid, 0, %(content_below)s)
                 from pg_largeobject_metadata
                where oid = loid
           ), '') end
      from lo_storage_largeobject
     where name = %(name)s
"""

NAMES = "select name from lo_storage_largeobject order by loid"

# PostgreSQL may have given the number of a lost object to a stranger's: ours ends where the
# catalogue says. So of what is not read whole, the last byte is read, and the one behind it.
# The content of another owner's object is not read: PostgreSQL may refuse it, and the error would
# break the transaction. (Measured: to look at grants, too, makes each opening a third slower.)
OPEN = """
    select coalesce(entry.name, ''), entry.created_at, pg_has_role(object.lomowner, 'usage'),
           entry.version, entry.modified_at, entry.size,
           case when not pg_has_role(object.lomowner, 'usage') then null
                when entry.size < %(content_below)s then lo_get(object.oid, 0, %(content_below)s)
                else lo_get(object.oid, greatest(entry.size - 1, 0), 2) end
      from pg_largeobject_metadata object
      left join lo_storage_largeobject entry on entry.loid = object.oid
     where object.oid = %(loid)s::oid
"""

SIZE = """
    select size from lo_storage_largeobject
     where loid = %(loid)s::oid and created_at = %(created_at)s
"""

# PostgreSQL takes a number for free when its object is gone, also one that a restore has left in
# the catalogue. That row is another file's: the new object goes again, and the name is NULL.
# (Measured: the look costs 5 %.)
CREATE = """
    with object as materialized (
        select lo_from_bytea(%(loid)s::oid, %(data)b) as loid
    ), entry as (
        insert into lo_storage_largeobject
               (loid, name, original_name, size, sha256, version, created_at, modified_at)
        select loid, loid::text || %(suffix)s::text, %(original_name)s::text,
               %(size)s::bigint, %(sha256)s::text, 1, clock_timestamp(), clock_timestamp()
          from object
            on conflict do nothing
     returning loid, name, created_at
    )
    select entry.loid, entry.name, entry.created_at,
           case when entry.loid is null then lo_unlink(object.loid) end
      from object
      left join entry on true
"""

# As CREATE, of a few MB of contents in one statement. (Measured: 9,600 files a second, and 3,300
# with a statement for each.) A time that nobody knows is NULL, and then now.
CREATE_MANY = """
    with object as materialized (
        select given.*, lo_from_bytea(0, data) as loid
          from unnest(
                   %(data)b::bytea[], %(original_name)s::text[], %(suffix)s::text[],
                   %(sha256)s::text[], %(created_at)s::timestamptz[],
                   %(modified_at)s::timestamptz[]
               ) with ordinality given (
                   data, original_name, suffix, sha256, created_at, modified_at, place
               )
    ), entry as (
        insert into lo_storage_largeobject
               (loid, name, original_name, size, sha256, version, created_at, modified_at)
        select loid, loid::text || suffix, original_name, length(data), sha256, 1,
               coalesce(created_at, clock_timestamp()), coalesce(modified_at, clock_timestamp())
          from object
            on conflict do nothing
     returning loid, name
    )
    select entry.name, case when entry.loid is null then lo_unlink(object.loid) end
      from object
      left join entry using (loid)
     order by place
"""

DATE = """
    update lo_storage_largeobject
       set created_at = coalesce(%(created_at)s::timestamptz, created_at),
           modified_at = coalesce(%(modified_at)s::timestamptz, modified_at)
     where name = %(name)s
"""

# Of the upper half, which PostgreSQL's counter reaches last: one that nobody else will have chosen.
FREE = """
    select number
      from (select (2147483648 + floor(random() * 2147483648))::bigint::oid
              from generate_series(1, 100)) as chosen (number)
     where not exists (select from pg_largeobject_metadata where oid = number)
       and not exists (select from lo_storage_largeobject where loid = number)
     limit 1
"""

COMPLETE = """
    update lo_storage_largeobject
       set size = %(size)s, sha256 = %(sha256)s
     where loid = %(loid)s::oid
"""

# One statement has one snapshot: all of its rows are of one moment.
READ_ROWS = """
    select entry.version, entry.modified_at, lo_get(
               object.oid,
               start,
               least(%(row_size)s, %(end)s::bigint - start, entry.size - start)::int
           )
      from lo_storage_largeobject entry
      join pg_largeobject_metadata object on object.oid = entry.loid
      left join generate_series(
               %(offset)s::bigint, least(%(end)s::bigint, entry.size) - 1, %(row_size)s::bigint
           ) as start on true
     where entry.loid = %(loid)s::oid
       and entry.created_at = %(created_at)s
     order by start
"""

# As OPEN, it reads no stranger's object.
READ_VERSION = """
    with entry as materialized (
        select entry.loid, entry.version, entry.modified_at
          from lo_storage_largeobject entry
          join pg_largeobject_metadata object on object.oid = entry.loid
         where entry.loid = %(loid)s::oid
           and entry.created_at = %(created_at)s
           and length(lo_get(object.oid, greatest(entry.size - 1, 0), 2)) = least(entry.size, 1)
    )
    select version, modified_at,
           lo_get(loid, start, least(%(row_size)s, %(end)s::bigint - start)::int)
      from entry
     cross join generate_series(
               %(offset)s::bigint, %(end)s::bigint - 1, %(row_size)s::bigint
           ) as start
     order by start
"""

# lo_put() asks the row that was updated, so that it runs once the row is locked. (The planner
# copies a content wherever it finds it, in RETURNING several times. Measured: that was a third.)
WRITE = """
    with entry as (
        update lo_storage_largeobject
           set version = version + 1, modified_at = clock_timestamp(), sha256 = null,
               size = greatest(size, %(end)s::bigint)
         where loid = %(loid)s::oid
           and created_at = %(created_at)s
     returning loid
    )
    select lo_put(loid, %(offset)s, %(data)b) from entry
"""

APPEND = """
    with entry as (
        update lo_storage_largeobject
           set version = version + 1, modified_at = clock_timestamp(), sha256 = null,
               size = size + %(length)s::bigint
         where loid = %(loid)s::oid
           and created_at = %(created_at)s
           and size + %(length)s::bigint <= %(max_size)s
     returning loid, size
    )
    select size, lo_put(loid, size - %(length)s::bigint, %(data)b) from entry
"""

TRUNCATE = """
    with entry as (
        update lo_storage_largeobject
           set version = version + 1, modified_at = clock_timestamp(), sha256 = null,
               size = %(size)s
         where loid = %(loid)s::oid
           and created_at = %(created_at)s
     returning loid
    ), opened as materialized (
        select lo_open(loid, %(mode)s) as fd from entry
    ), truncated as materialized (
        select fd, lo_truncate64(fd, %(size)s) from opened
    )
    select lo_close(fd) from truncated
"""

# A size needs a descriptor: it is opened, used and closed in this statement. An object that the
# role may only read is left alone: once catalogued, it could not be deleted.
ADOPT = """
    with opened as materialized (
        select oid, lo_open(oid, %(mode)s) as fd
          from pg_largeobject_metadata
         where oid = %(loid)s::oid and pg_has_role(lomowner, 'usage')
    ), measured as materialized (
        select oid, fd, lo_lseek64(fd, 0, 2) as size from opened
    ), closed as materialized (
        select oid, size, lo_close(fd) from measured
    )
    insert into lo_storage_largeobject
           (loid, name, original_name, size, version, created_at, modified_at)
    select oid, %(name)s::text, %(original_name)s::text, size, 1,
           clock_timestamp(), clock_timestamp()
      from closed
        on conflict do nothing
 returning loid
"""

DELETE = "delete from lo_storage_largeobject where name = %(name)s"


def find(cursor: Cursor, name: str, content_below: int = 0) -> Entry | None:
    """Return the row of a stored name, or None.

    A content of fewer than `content_below` bytes is read with it. A name that can be no stored name
    costs no round trip.
    """
    if loid_of(name) is None:
        return None
    cursor.execute(
        FIND_AND_READ if content_below else FIND, {"name": name, "content_below": content_below}
    )
    row = cursor.fetchone()
    return None if row is None else Entry(*row)


def names(cursor: Cursor) -> list[str]:
    """Return every stored name."""
    cursor.execute(NAMES)
    return [name for (name,) in cursor.fetchall()]


class Opened(NamedTuple):
    """What there is of an object; `created_at` and all but the next are None if not catalogued."""

    name: str  # "" if not catalogued
    created_at: datetime | None
    is_owner: bool  # whether this role is, or a member of the owner's
    version: Version | None
    size: int | None
    content: bytes


def open(cursor: Cursor, loid: int, content_below: int = 0) -> Opened:
    """Look for an object, catalogued or not.

    The content is b"", but for a catalogued object of fewer than `content_below` bytes that this
    role owns. Raises `FileNotFoundError`, and `OSError` (`EIO`) for an object of this role that
    does not end where the catalogue says.
    """
    cursor.execute(OPEN, {"loid": loid, "content_below": content_below})
    name, created_at, is_owner, *version, size, content = existing(cursor.fetchone(), loid)
    if created_at is None:
        return Opened(name, None, is_owner, None, None, b"")
    is_whole = size < content_below
    if is_owner and len(content) != (size if is_whole else min(size, 1)):
        raise strangers(name, size)
    return Opened(
        name,
        created_at,
        is_owner,
        (version[0], version[1]),
        size,
        (content or b"") if is_whole else b"",
    )


def strangers(name: str, size: int) -> OSError:
    """Return the exception for an object that is not the one that the catalogue has."""
    return OSError(
        errno.EIO,
        f"its large object does not end at {size:,} bytes, as the catalogue says, and is left"
        " alone: it may be another application's; manage.py lo_check says what is lost",
        name,
    )


def size(cursor: Cursor, loid: int, created_at: datetime) -> int:
    """Return the number of bytes of a catalogued object."""
    cursor.execute(SIZE, {"loid": loid, "created_at": created_at})
    (size,) = existing(cursor.fetchone(), loid)
    return cast(int, size)


def create(
    cursor: Cursor, data: Buffer, original_name: str, sha256: str | None = None
) -> tuple[int, str, datetime]:
    """Create an object that holds `data` (a few MB at the most).

    Return (OID, stored name, `created_at`). The catalogue keeps `kept_name(original_name)`.
    """
    kept = kept_name(original_name)
    parameters = {
        "data": data,
        "size": len(data),
        "suffix": suffix_of(kept),
        "original_name": kept,
        "sha256": sha256,
    }
    loid, name, created_at, _ = numbered(cursor, CREATE, parameters)
    return loid, name, created_at


def numbered(cursor: Cursor, query: str, parameters: Mapping[str, Any]) -> Any:
    """Return the row of a statement that makes an object of the number `loid`, which 0 leaves open.

    Its first column is NULL where that was taken: then once more, with one that is free.
    """
    cursor.execute(query, {**parameters, "loid": 0})
    while (row := cursor.fetchone())[0] is None:
        cursor.execute(FREE)
        (number,) = cursor.fetchone()
        cursor.execute(query, {**parameters, "loid": number})
    return row


class New(NamedTuple):
    """A file to create: its content, of a few KB, and what the catalogue is to know of it."""

    data: bytes
    original_name: str
    sha256: str
    created_at: datetime | None = None  # None: now
    modified_at: datetime | None = None


def create_many(cursor: Cursor, files: Sequence[New]) -> list[str]:
    """Create files of a few MB in all by one statement; return their stored names, in order.

    One more for each file whose number was taken. Needs a transaction.
    """
    kept = [kept_name(file.original_name) for file in files]
    cursor.execute(
        CREATE_MANY,
        {
            "data": [file.data for file in files],
            "original_name": kept,
            "suffix": list(map(suffix_of, kept)),
            "sha256": [file.sha256 for file in files],
            "created_at": [file.created_at for file in files],
            "modified_at": [file.modified_at for file in files],
        },
    )
    names = []
    for file, (name, _) in zip(files, cursor.fetchall(), strict=True):
        if name is None:
            _, name, _ = create(cursor, file.data, file.original_name, file.sha256)
            date(cursor, name, file.created_at, file.modified_at)
        names.append(name)
    return names


def date(
    cursor: Cursor, name: str, created_at: datetime | None, modified_at: datetime | None
) -> None:
    """Give a file that this transaction created the times that it had elsewhere; None: now."""
    cursor.execute(DATE, {"name": name, "created_at": created_at, "modified_at": modified_at})


def kept_name(original_name: str) -> str:
    """Return what the catalogue keeps of a file's name: the last part, taken as a path.

    PostgreSQL's text can hold neither NUL, which is left out, nor a lone surrogate, which becomes
    "?".
    """
    return os.path.basename(original_name).replace("\0", "").encode(errors="replace").decode()


def complete(cursor: Cursor, loid: int, size: int, sha256: str) -> None:
    """Record size and checksum of an object that this transaction wrote by several statements."""
    cursor.execute(COMPLETE, {"loid": loid, "size": size, "sha256": sha256})


def read_rows(
    cursor: Cursor, loid: int, offset: int, end: int, created_at: datetime
) -> tuple[Version, list[bytes]]:
    """Return (version, content of that version from `offset` to `end`, in rows of 256 KiB)."""
    cursor.execute(
        READ_ROWS,
        {
            "loid": loid,
            "created_at": created_at,
            "offset": offset,
            "end": end,
            "row_size": ROW_SIZE,
        },
    )
    *version, first = existing(cursor.fetchone(), loid)
    rows = [first, *(content for *_, content in cursor.fetchall())]
    return tuple(version), [row for row in rows if row]


def read_version(
    cursor: Cursor, loid: int, offset: int, end: int, created_at: datetime, row_size: int
) -> tuple[Version, list[bytes]]:
    """Return (version, content of that version from `offset` to `end`).

    The content is in rows of `row_size` bytes; they are shorter, or empty, where the object ends
    before `end`, which must be beyond `offset`.
    """
    cursor.execute(
        READ_VERSION,
        {
            "loid": loid,
            "created_at": created_at,
            "offset": offset,
            "end": end,
            "row_size": row_size,
        },
    )
    *version, first = existing(cursor.fetchone(), loid)
    return tuple(version), [first, *(content for *_, content in cursor.fetchall())]


def write(cursor: Cursor, loid: int, offset: int, data: Buffer, created_at: datetime) -> None:
    """Write `data` (a few MB at the most) at `offset`."""
    end = offset + len(data)
    check_end(end)
    values = {"loid": loid, "created_at": created_at, "offset": offset, "end": end, "data": data}
    cursor.execute(WRITE, values)
    existing(cursor.fetchone(), loid)


def append(cursor: Cursor, loid: int, data: Buffer, created_at: datetime) -> int:
    """Write `data` (a few MB at the most) at the end; return where the end is then."""
    values = {
        "loid": loid,
        "created_at": created_at,
        "data": data,
        "length": len(data),
        "max_size": MAX_SIZE,
    }
    cursor.execute(APPEND, values)
    row = cursor.fetchone()
    if row is None:  # It is gone, or full: which of them is asked by a second statement.
        check_end(size(cursor, loid, created_at) + len(data))
    end, _ = existing(row, loid)
    return cast(int, end)


def truncate(cursor: Cursor, loid: int, size: int, created_at: datetime) -> None:
    """Cut the object to `size` bytes, or extend it with zeros."""
    check_end(size)
    cursor.execute(
        TRUNCATE, {"loid": loid, "created_at": created_at, "size": size, "mode": INV_WRITE}
    )
    existing(cursor.fetchone(), loid)


def adopt(cursor: Cursor, name: str, original_name: str = "") -> bool:
    """Catalogue a large object under `name`; return whether there was one to catalogue."""
    loid = loid_of(name)
    if loid is None:
        return False
    values = {
        "loid": loid,
        "name": name,
        "original_name": kept_name(original_name),
        "mode": INV_READ,
    }
    cursor.execute(ADOPT, values)
    return bool(cursor.fetchall())


def delete(cursor: Cursor, name: str) -> None:
    """Delete a catalogued object; a roll-back brings it back. Nothing to delete is no error."""
    if loid_of(name) is not None:
        cursor.execute(DELETE, {"name": name})
