"""Large objects over a psycopg 3 cursor, without Django (PostgreSQL, chapter "Large Objects").

It needs psycopg and nothing else, and a cursor that binds on the server and asks for binary
results, as psycopg's own does with `binary=True`::

    import psycopg
    from lo_storage import large_objects

    with psycopg.connect() as connection, connection.cursor(binary=True) as cursor:
        loid = large_objects.create(cursor, b"hello")
        large_objects.write(cursor, loid, 5, b", world")
        assert large_objects.size(cursor, loid) == 12
        for row in large_objects.read_rows(cursor, loid, 0):
            print(row)
        large_objects.unlink(cursor, loid)

Nothing here keeps a server-side descriptor. A descriptor ends with its transaction, and its number
is then given to another object. So each call names the object by its OID, and is one round trip.
A call for an object that does not exist raises `FileNotFoundError`. The server sees no error then,
and the caller's transaction stays usable.
"""

import errno
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, LiteralString, Protocol, cast

type Buffer = bytes | bytearray | memoryview

# What one statement writes. Measured: 256 KiB to 1 MiB are fastest. It is a multiple of the 2,048
# bytes of a page, so that no statement updates a page that the one before it has written.
WRITE_SIZE = 1024 * 1024

# What one row of a result holds. Measured: 256 KiB are read fastest; 8 MiB cost time and memory.
ROW_SIZE = 256 * 1024

# 2,147,483,647 pages of 2,048 bytes: where lo_put() and its like end.
MAX_SIZE = (2**31 - 1) * 2048

# The modes of lo_open(), by the names that libpq-fs.h gives them.
INV_READ = 0x40000
INV_WRITE = 0x20000


class Cursor(Protocol):
    """What is asked of a cursor: psycopg's own has it, and Django's wrapper around one."""

    def execute(
        self, query: LiteralString, params: Sequence[Any] | Mapping[str, Any] | None = None, /
    ) -> object: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...


CREATE = "select lo_from_bytea(0, %(data)b)"

READ = """
    select lo_get(oid, %(offset)s, %(length)s)
      from pg_largeobject_metadata
     where oid = %(loid)s::oid
"""

# One statement has one snapshot. A size needs a descriptor: it is opened, used and closed here.
READ_ROWS = """
    with opened as materialized (
        select oid, lo_open(oid, %(mode)s) as fd
          from pg_largeobject_metadata
         where oid = %(loid)s::oid
    ), measured as materialized (
        select oid, fd, lo_lseek64(fd, 0, 2) as size from opened
    ), closed as materialized (
        select oid, size, lo_close(fd) from measured
    )
    select lo_get(oid, start, least(%(row_size)s, %(end)s::bigint - start)::int)
      from closed
      left join generate_series(
               %(offset)s::bigint, least(%(end)s::bigint, size) - 1, %(row_size)s::bigint
           ) as start on true
     order by start
"""

SIZE = """
    with opened as materialized (
        select lo_open(oid, %(mode)s) as fd
          from pg_largeobject_metadata
         where oid = %(loid)s::oid
    ), measured as materialized (
        select fd, lo_lseek64(fd, 0, 2) as size from opened
    )
    select size, lo_close(fd) from measured
"""

WRITE = """
    select lo_put(oid, %(offset)s, %(data)b)
      from pg_largeobject_metadata
     where oid = %(loid)s::oid
"""

TRUNCATE = """
    with opened as materialized (
        select lo_open(oid, %(mode)s) as fd
          from pg_largeobject_metadata
         where oid = %(loid)s::oid
    ), truncated as materialized (
        select fd, lo_truncate64(fd, %(size)s) from opened
    )
    select lo_close(fd) from truncated
"""

UNLINK = "select lo_unlink(oid) from pg_largeobject_metadata where oid = %(loid)s::oid"


def create(cursor: Cursor, data: Buffer = b"") -> int:
    """Create an object that holds `data` (a few MB at the most) and return its OID."""
    cursor.execute(CREATE, {"data": data})
    (loid,) = cursor.fetchone()
    return cast(int, loid)


def read(cursor: Cursor, loid: int, offset: int, length: int) -> bytes:
    """Return up to `length` bytes from `offset` on; fewer where the object ends."""
    cursor.execute(READ, {"loid": loid, "offset": offset, "length": length})
    (data,) = existing(cursor.fetchone(), loid)
    return cast(bytes, data)


def read_rows(cursor: Cursor, loid: int, offset: int, end: int = MAX_SIZE) -> Iterator[bytes]:
    """Read the content from `offset` to `end` as it was at one moment; return its rows of 256 KiB.

    The first of them raises where the object is missing.
    """
    cursor.execute(
        READ_ROWS,
        {"loid": loid, "offset": offset, "end": end, "row_size": ROW_SIZE, "mode": INV_READ},
    )
    return bytes_of(cursor, loid)


def size(cursor: Cursor, loid: int, mode: int = INV_READ) -> int:
    """Return the number of bytes; a hole counts, as it does in a sparse file.

    PostgreSQL raises where the role may not open the object in that mode.
    """
    cursor.execute(SIZE, {"loid": loid, "mode": mode})
    size, _ = existing(cursor.fetchone(), loid)
    return cast(int, size)


def write(cursor: Cursor, loid: int, offset: int, data: Buffer) -> None:
    """Write `data` (a few MB at the most) at `offset`; a gap before it reads as zeros."""
    check_end(offset + len(data))
    cursor.execute(WRITE, {"loid": loid, "offset": offset, "data": data})
    existing(cursor.fetchone(), loid)


def truncate(cursor: Cursor, loid: int, size: int) -> None:
    """Cut the object to `size` bytes, or extend it with zeros."""
    check_end(size)
    cursor.execute(TRUNCATE, {"loid": loid, "size": size, "mode": INV_WRITE})
    existing(cursor.fetchone(), loid)


def unlink(cursor: Cursor, loid: int) -> None:
    """Delete the object; a roll-back brings it back."""
    cursor.execute(UNLINK, {"loid": loid})
    existing(cursor.fetchone(), loid)


def check_end(end: int) -> None:
    """Raise `OSError` (`EFBIG`), as a file system does, for an end that no object can have."""
    if end > MAX_SIZE:
        raise OSError(errno.EFBIG, f"a large object ends at {MAX_SIZE} bytes; {end} were asked for")


def existing(row: Any, loid: int) -> Any:
    """Return the row of a statement about an object; `FileNotFoundError` where there is none."""
    if row is None:
        raise FileNotFoundError(errno.ENOENT, "no such large object", str(loid))
    return row


def bytes_of(cursor: Cursor, loid: int) -> Iterator[bytes]:
    """Yield the rows of a result. Without a row there is no object, and a NULL says no bytes."""
    row = existing(cursor.fetchone(), loid)
    while row and row[0]:
        yield row[0]
        row = cursor.fetchone()
