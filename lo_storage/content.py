"""`Content`: the bytes of one large object, catalogued or not, on a Django alias."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, Self

from psycopg import Cursor

from . import catalogue, large_objects
from .catalogue import Version
from .database import cursor, savepoint
from .large_objects import INV_READ, INV_WRITE, MAX_SIZE, WRITE_SIZE


class Content(NamedTuple):
    """One large object, found by its number and the time of its creation.

    So it is never another object to which PostgreSQL gave the number meanwhile. An object that is
    not catalogued has no such time (`created_at` is None), and is found by its number alone.

    Each method is one statement; to write is one for each MiB. To write to what was not catalogued
    takes one more, which looks whether it is now; so does to open an object of another role. Each
    raises `FileNotFoundError` when the object is gone.
    """

    alias: str
    loid: int
    created_at: datetime | None

    @classmethod
    def create(cls, alias: str, original_name: str) -> tuple[Self, str]:
        """Create an empty object; return it and its stored name."""
        with cursor(alias) as c:
            loid, name, created_at = catalogue.create(c, b"", original_name)
        return cls(alias, loid, created_at), name

    @classmethod
    def open(
        cls, alias: str, loid: int, *, writing: bool, content_below: int
    ) -> tuple[Self, str, Version | None, bytes]:
        """Return (an object that exists, its stored name, its version, its content or b"").

        The content is given as `catalogue.open` says. An object of another role takes a second
        statement, in a savepoint. Raises `PermissionError`, and `OSError` for a stranger's object.
        """
        with cursor(alias) as c:
            opened = catalogue.open(c, loid, content_below)
        if not opened.is_owner:
            with savepoint(alias), cursor(alias) as c:
                end = large_objects.size(c, loid, INV_WRITE if writing else INV_READ)
            if opened.size not in (None, end):
                raise catalogue.strangers(opened.name, opened.size)
        return cls(alias, loid, opened.created_at), opened.name, opened.version, opened.content

    def size(self) -> int:
        """Return the number of bytes."""
        with cursor(self.alias) as c:
            if self.created_at is None:
                return large_objects.size(c, self.loid)
            return catalogue.size(c, self.loid, self.created_at)

    def rows(
        self, start: int, end: int, cursor_class: Callable[[Any], Cursor[Any]] = Cursor
    ) -> tuple[Version | None, list[bytes]]:
        """Return (version, bytes from `start` to `end` in rows of 256 KiB, or as the cursor does).

        An object that is not catalogued has no version.
        """
        start, end = min(start, MAX_SIZE), min(end, MAX_SIZE)
        with cursor(self.alias, cursor_class) as c:
            if self.created_at is None:
                return None, list(large_objects.read_rows(c, self.loid, start, end))
            return catalogue.read_rows(c, self.loid, start, end, self.created_at)

    def write(self, offset: int, data: memoryview) -> int:
        """Write at `offset`; return where what was written ends."""
        large_objects.check_end(offset + len(data))  # before the first MiB of it is written
        with cursor(self.alias) as c:
            created_at = self._created_at(c)
            for start in range(0, len(data), WRITE_SIZE):
                part = data[start : start + WRITE_SIZE]
                if created_at is None:
                    large_objects.write(c, self.loid, offset + start, part)
                else:
                    catalogue.write(c, self.loid, offset + start, part, created_at)
        return offset + len(data)

    def append(self, data: memoryview) -> int:
        """Write some bytes at the end; return where the end is then."""
        if self.created_at is None:
            return self.write(self.size(), data)
        end = 0
        with cursor(self.alias) as c:
            for start in range(0, len(data), WRITE_SIZE):
                part = data[start : start + WRITE_SIZE]
                end = catalogue.append(c, self.loid, part, self.created_at)
        return end

    def truncate(self, size: int) -> None:
        """Cut or extend to `size` bytes."""
        with cursor(self.alias) as c:
            created_at = self._created_at(c)
            if created_at is None:
                large_objects.truncate(c, self.loid, size)
            else:
                catalogue.truncate(c, self.loid, size, created_at)

    def _created_at(self, c: Any) -> datetime | None:
        """Return `created_at`, or what it is now: an object may be adopted while it is open."""
        return self.created_at or catalogue.open(c, self.loid).created_at
