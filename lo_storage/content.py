"""`Content`: the bytes of one large object, catalogued or not, on a Django alias."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple, Self

from psycopg import Cursor

from . import catalogue, large_objects
from .database import GatheringCursor, cursor, savepoint
from .large_objects import MAX_SIZE, PIECE


class Content(NamedTuple):
    """Finds its own object alone, also where the number was given to another one meanwhile.

    What is not catalogued (`created_at` is None) is known by its number only. Each method is one
    statement, and each MiB that is written. Raises `FileNotFoundError`.
    """

    alias: str
    loid: int
    created_at: datetime | None

    @classmethod
    def create(cls, alias: str, original_name: str) -> tuple[Self, str]:
        """Make an empty object; return it and its stored name."""
        with cursor(alias) as c:
            loid, name, created_at = catalogue.create(c, b"", original_name)
        return cls(alias, loid, created_at), name

    @classmethod
    def open(
        cls, alias: str, loid: int, *, writing: bool = False, ahead: int = 0
    ) -> tuple[Self, str, bytes]:
        """Return an object that exists, its stored name, and all of it if it is below `ahead`.

        Raises `PermissionError`. For an object of another role it asks once more, in a savepoint.
        """
        with cursor(alias) as c:
            name, created_at, is_owner, content = catalogue.open(c, loid, ahead)
        if not is_owner:
            with savepoint(alias), cursor(alias) as c:
                large_objects.try_to_open(c, loid, writing)
        return cls(alias, loid, created_at), name, content

    def size(self) -> int:
        """Return the number of bytes."""
        with cursor(self.alias) as c:
            if self.created_at is None:
                return large_objects.size(c, self.loid)
            return catalogue.size(c, self.loid, self.created_at)

    def pieces(self, start: int, end: int, *, gathered: bool = False) -> Iterator[bytes]:
        """Yield the bytes from `start` to `end` in pieces of 256 KiB, or `gathered` in one."""
        start, end = min(start, MAX_SIZE), min(end, MAX_SIZE)
        with cursor(self.alias, GatheringCursor if gathered else Cursor) as c:
            if self.created_at is None:
                yield from large_objects.read_pieces(c, self.loid, start, end)
            else:
                yield from catalogue.read(c, self.loid, start, end, self.created_at)

    def write(self, offset: int, data: memoryview) -> int:
        """Write at `offset`; return where what was written ends."""
        large_objects.check_end(offset + len(data))
        with cursor(self.alias) as c:
            for start in range(0, len(data), PIECE):
                piece = data[start : start + PIECE]
                if self.created_at is None:
                    large_objects.write(c, self.loid, offset + start, piece)
                else:
                    catalogue.write(c, self.loid, offset + start, piece, self.created_at)
        return offset + len(data)

    def append(self, data: memoryview) -> int:
        """Write at the end; return where the end is then."""
        if self.created_at is None:
            return self.write(self.size(), data)
        end = 0
        with cursor(self.alias) as c:
            for start in range(0, len(data), PIECE):
                piece = data[start : start + PIECE]
                end = catalogue.append(c, self.loid, piece, self.created_at)
        return end

    def truncate(self, size: int) -> None:
        """Cut or extend to `size` bytes."""
        with cursor(self.alias) as c:
            if self.created_at is None:
                large_objects.truncate(c, self.loid, size)
            else:
                catalogue.truncate(c, self.loid, size, self.created_at)
