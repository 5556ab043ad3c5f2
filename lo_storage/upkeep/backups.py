"""Files as a backup has them, and those of a server on a restored data directory.

The session of such a server can write nothing.
"""

import hashlib
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, NamedTuple, Protocol

import psycopg

from .. import large_objects
from ..catalogue import TABLE, Entry

# What one statement reads, and how much of a file is in memory: more of it goes to the disk.
BYTES = 8 * 1024 * 1024

ENTRY = f"""
    select loid, name, original_name, size, sha256, version, created_at, modified_at
      from {TABLE}
     where loid = %s::oid
"""


class BackupError(Exception):
    """A backup cannot be read; the message says why, and what to do."""


class Saved(NamedTuple):
    """A large object as a backup has it."""

    loid: int
    entry: Entry | None  # the row of the backup's catalogue
    content: IO[bytes]
    size: int
    sha256: str


class Backup(Protocol):
    """Where files are read from."""

    def read(self, loids: Collection[int]) -> Iterator[Saved]:
        """Yield those of some large objects that are there; the content lasts until the next.

        Raises `BackupError`.
        """


@contextmanager
def save(loid: int, entry: Entry | None, pieces: Iterable[bytes]) -> Iterator[Saved]:
    """Yield a large object, whose content is read from its pieces, and lasts as long as this."""
    digest = hashlib.sha256()
    with tempfile.SpooledTemporaryFile(max_size=BYTES) as content:
        for piece in pieces:
            content.write(piece)
            digest.update(piece)
        yield Saved(loid, entry, content, content.tell(), digest.hexdigest())


class Server:
    """A server that was started on a restored data directory.

    Arguments:

    - `conninfo`: what libpq takes ("host=/tmp port=5433 dbname=papers user=postgres").
    """

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo

    def read(self, loids: Collection[int]) -> Iterator[Saved]:
        try:
            with psycopg.connect(self._conninfo) as connection:
                connection.read_only = True
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                with connection.cursor(binary=True) as cursor:
                    for loid in sorted(loids):
                        cursor.execute(ENTRY, [loid])
                        row = cursor.fetchone()
                        entry = Entry(*row) if row else None
                        with (
                            suppress(FileNotFoundError),
                            save(loid, entry, _pieces(cursor, loid)) as saved,
                        ):
                            yield saved
        except psycopg.errors.InsufficientPrivilege as error:
            raise BackupError(
                f"{_first_line(error)}: connect as the role that owns the files, or as a superuser"
            ) from error
        except psycopg.errors.UndefinedTable as error:
            raise BackupError(f"{_first_line(error)}: is it the right database?") from error
        except psycopg.Error as error:
            raise BackupError(_first_line(error)) from error


def _pieces(cursor: large_objects.Cursor, loid: int) -> Iterator[bytes]:
    offset = 0
    while piece := large_objects.read(cursor, loid, offset, BYTES):
        yield piece
        offset += len(piece)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
