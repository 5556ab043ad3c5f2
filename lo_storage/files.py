"""`DbFileIO`: a large object as Python's own `io` has a raw binary file."""

import errno
import io
import operator
import os
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Self, SupportsIndex

from psycopg import Cursor

from .catalogue import Version
from .content import Content
from .database import GatheringCursor, db_for_read, db_for_write, require_transaction
from .large_objects import MAX_SIZE, ROW_SIZE
from .names import MAX_OID

__all__ = ["DbFileIO"]

# What one statement of chunks() reads; a reader that stops early has read up to that in vain.
READ_SIZE = 4 * ROW_SIZE

MODES = ("rb", "r+b", "wb", "w+b", "ab", "a+b")


class DbFileIO(io.RawIOBase):
    """A large object as a raw binary file: `io.FileIO`'s interface, without its descriptor.

    Arguments:

    - `loid`: the number of the object, or 0 to create one (modes "w" and "a").
    - `mode`: one of "rb", "r+b", "wb", "w+b", "ab", "a+b", or another spelling of these.
    - `name`: of a new object, the file name whose suffix the stored name gets; of another, what
      `.name` shows ("": the stored name).
    - `alias`: the Django database (None: the setting PG_LO_STORAGE_DB_FOR_READ, or
      PG_LO_STORAGE_DB_FOR_WRITE for a mode that writes).
    - `content_below`: a catalogued object of fewer bytes is read by the statement that opens it
      with "rb", if this role has the rights of its owner.

    Any object that the role may use can be opened, catalogued or not. A new one is catalogued.

    - "wb" does not empty an existing object; `truncate()` does.
    - Writing needs a transaction, when opening and at each `write()` and `truncate()`
      (`TransactionManagementError`). Reading needs none.
    - `write()` returns when the server has the bytes, so a missing `close()` loses nothing. For
      many small writes put an `io.BufferedWriter` around it.
    - Reading is buffered, as it is in what Python's `open()` returns: 256 KiB are read ahead. The
      buffer sees neither what someone else writes nor a roll-back; `open()` empties it.
    - All that is read is of one version: `OSError` (`ESTALE`) where the file was written meanwhile,
      by whoever it is. `open()`, `seek(0)` and a write of this file begin anew, with the version of
      the next read. An object that is not catalogued has no version, and several reads of it may be
      a mixture.
    - A file that is kept past its transaction reaches its own object or raises `FileNotFoundError`,
      also where the number was given to another object. An object that is not catalogued is known
      by its number alone.
    - A thread uses its own connection: it finds only what is committed, and needs a transaction of
      its own to write. For threads that use one file at once put an `io.BufferedReader` around it.
    - `close()` and the garbage collector send no query. A file that is dropped unclosed gives a
      `ResourceWarning`; what a wrapper around it still held is lost.

    Round trips:

    - one to open; to append one more; for an object of another role one more, or in a transaction
      three;
    - one to read 256 KiB or more, of any length; what is smaller comes out of the buffer, which one
      fills;
    - one to write, for each MiB; to an object that is not catalogued one more, and to append two;
    - one to truncate (as to write), to ask for the size, and to seek from the end; none for the
      rest.

    Raises `ValueError` for a number or a mode that does not exist, `FileNotFoundError`,
    `PermissionError` and `io.UnsupportedOperation`.
    """

    _is_open = False

    def __init__(
        self,
        loid: int,
        mode: str = "rb",
        name: str = "",
        alias: str | None = None,
        *,
        content_below: int = 0,
    ) -> None:
        super().__init__()
        self._read_buf: bytes
        self._read_buf_start: int
        self._version: Version | None
        if isinstance(loid, bool) or not isinstance(loid, int) or not 0 <= loid <= MAX_OID:
            raise ValueError(f"loid must be a number from 0 to {MAX_OID}, not {loid!r}")
        self._loid = loid
        self._given_alias = alias
        self._name = name
        self._content_below = content_below
        self.open(mode)

    def open(self, mode: str = "rb", name: str = "", alias: str | None = None) -> Self:
        """Open the object again, on the alias that was given last."""
        self._is_open = False
        mode = _normalize(mode)
        self._mode = mode
        self._name = name or self._name
        self._given_alias = alias or self._given_alias
        self._position = 0
        self._reset_read_buf()
        if mode == "rb":
            self._alias = db_for_read(self._given_alias)
        else:
            self._alias = db_for_write(self._given_alias)
            require_transaction(self._alias)
        if self._loid == 0:
            if mode[0] == "r":
                raise ValueError(f"mode {mode!r} creates nothing: give the loid of an object")
            self._content, self._name = Content.create(self._alias, self._name)
            self._loid, self._stored_name = self._content.loid, self._name
        else:
            self._content, self._stored_name, version, self._read_buf = Content.open(
                self._alias,
                self._loid,
                writing=mode != "rb",
                content_below=self._content_below if mode == "rb" else 0,
            )
            self._version = version if self._read_buf else None
            self._name = self._name or self._stored_name
        if mode[0] == "a":
            self._position = self.size
        self._is_open, self._is_dropped = True, False
        return self

    def __str__(self) -> str:
        return self._name or str(self._loid)

    def __repr__(self) -> str:
        state = self._mode if self._is_open else "closed"
        return f"<{type(self).__name__}: {self._loid} {self._name!r} {state}>"

    def __getstate__(self) -> Any:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    @property
    def loid(self) -> int:
        """The number of the large object."""
        return self._loid

    @property
    def name(self) -> str:
        """The stored name of a new object; of another what was given, or else its stored name."""
        return self._name

    @property
    def stored_name(self) -> str:
        """The name in the catalogue; "" for what is not catalogued."""
        return self._stored_name

    @property
    def mode(self) -> str:
        """One of "rb", "r+b", "wb", "w+b", "ab", "a+b"."""
        return self._mode

    @property
    def size(self) -> int:
        """The number of bytes now, also of a closed file; one round trip."""
        return self._content.size()

    @property
    def closed(self) -> bool:
        return not self._is_open

    def close(self) -> None:
        # Not the base class's, which ends a file for good: this one can be opened again.
        self._is_open = False

    def __del__(self) -> None:
        if self._is_open:
            self._dealloc_warn(self)

    def _dealloc_warn(self, source: object) -> None:
        """Warn, as `io.FileIO` does. A wrapper that is dropped calls this before its last flush."""
        self._is_dropped = True
        warnings.warn(f"unclosed file {source!r}", ResourceWarning, source=source, stacklevel=2)

    def flush(self) -> None:
        """Do nothing: what was written is with the server."""
        self._check_open()

    def readable(self) -> bool:
        self._check_open()
        return self._mode == "rb" or "+" in self._mode

    def writable(self) -> bool:
        self._check_open()
        return self._mode != "rb"

    def seekable(self) -> bool:
        self._check_open()
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to `size` bytes, or all that follow, as they were at one moment."""
        size = _limit(size)
        self._check_readable()
        if size >= ROW_SIZE and not self._is_in_read_buf(size):
            data = b"".join(self._rows(size, GatheringCursor))
        else:
            self._fill_read_buf(size)
            start = self._position - self._read_buf_start
            data = self._read_buf[start : start + size]
        self._position += len(data)
        return data

    def chunks(self) -> Iterator[bytes]:
        """Yield what follows in chunks of up to 256 KiB; one round trip for each MiB."""
        self._check_readable()
        if self._is_in_read_buf(MAX_SIZE):
            yield self.read()
            return
        length = READ_SIZE
        while length == READ_SIZE:
            rows = self._rows(READ_SIZE)
            length = sum(map(len, rows))
            while rows:  # None is kept while the next ones come.
                self._position += len(rows[0])
                yield rows.pop(0)

    def readall(self) -> bytes:
        return self.read()

    def read1(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, or else up to 256 KiB; for `io.TextIOWrapper`."""
        return self.read(ROW_SIZE if size < 0 else size)

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        if view.readonly or not view.c_contiguous:
            raise TypeError("a contiguous read-write bytes-like object is required")
        self._check_readable()
        if view.nbytes < ROW_SIZE or view.format != "B" or self._is_in_read_buf(view.nbytes):
            return io.BytesIO(self.read(view.nbytes)).readinto(view)
        into = partial(GatheringCursor, into=view.cast("B"))
        length = sum(map(len, self._rows(view.nbytes, into)))
        self._position += length
        return length

    readinto1 = readinto

    def readline(self, size: int | None = -1, /) -> bytes:
        """Return a line, of at most `size` bytes."""
        limit = _limit(size)
        if not limit:  # As io.FileIO, which does not look whether it is open and readable.
            return b""
        self._check_readable()
        line = bytearray()
        while len(line) < limit and not line.endswith(b"\n"):
            self._fill_read_buf(1)
            start = self._position - self._read_buf_start
            end = min(len(self._read_buf), start + limit - len(line))
            end = self._read_buf.find(b"\n", start, end) + 1 or end
            if start >= end:
                break
            line += self._read_buf[start:end]
            self._position += end - start
        return bytes(line)

    def write(self, buffer: Any, /) -> int:
        """Write all of `buffer`; the server has it when this returns."""
        if not (view := memoryview(buffer)).c_contiguous:
            raise BufferError("a contiguous bytes-like object is required")
        self._check_writable()
        data = _as_bytes(view)
        self._reset_read_buf()
        if self._mode[0] != "a":
            self._position = self._content.write(self._position, data)
        elif data:
            self._position = self._content.append(data)
        return len(data)

    def truncate(self, size: int | None = None, /) -> int:
        """Cut or extend to `size` bytes, or to the position; the position stays."""
        self._check_writable()
        size = self._position if size is None else operator.index(size)
        if size < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._content.truncate(size)
        self._reset_read_buf()
        return size

    def tell(self) -> int:
        self._check_open()
        return self._position

    def seek(self, offset: SupportsIndex, whence: int = os.SEEK_SET, /) -> int:
        whence = operator.index(whence)
        self._check_open()
        position = operator.index(offset)
        match whence:
            case os.SEEK_SET:
                pass
            case os.SEEK_CUR:
                position += self._position
            case os.SEEK_END:
                position += self.size
            case _:
                raise ValueError(f"invalid whence ({whence}, should be 0, 1 or 2)")
        if position < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._position = position
        if position == 0 and not self._is_in_read_buf(MAX_SIZE):
            self._reset_read_buf()
        return position

    def _is_in_read_buf(self, size: int) -> bool:
        """Whether a read of `size` bytes can be answered by what was read ahead."""
        start, length = self._position - self._read_buf_start, len(self._read_buf)
        reaches_end = length < ROW_SIZE
        return not size or (0 <= start < length and (reaches_end or start + size <= length))

    def _fill_read_buf(self, size: int) -> None:
        if not self._is_in_read_buf(size):
            self._read_buf = b"".join(self._rows(ROW_SIZE))
            self._read_buf_start = self._position

    def _rows(self, size: int, cursor_class: Callable[[Any], Cursor[Any]] = Cursor) -> list[bytes]:
        """Read up to `size` bytes at the position, of the version that was read before."""
        version, rows = self._content.rows(self._position, self._position + size, cursor_class)
        if self._version not in (None, version):
            self._read_buf = b""
            raise OSError(errno.ESTALE, "the file was overwritten while it was read", str(self))
        self._version = version
        return rows

    def _reset_read_buf(self) -> None:
        """Forget what was read ahead, and of which version it was."""
        self._read_buf, self._read_buf_start = b"", 0
        self._version = None

    def _check_open(self) -> None:
        if not self._is_open:
            raise ValueError("I/O operation on closed file.")

    def _check_readable(self) -> None:
        if not self.readable():
            raise io.UnsupportedOperation("not readable")

    def _check_writable(self) -> None:
        if not self.writable():
            raise io.UnsupportedOperation("not writable")
        if self._is_dropped:
            raise ValueError("a wrapper was dropped unclosed, and what it held is lost")
        require_transaction(self._alias)


def _limit(size: int | None) -> int:
    """Return how many bytes a read may return at most; None and a negative `size` are all."""
    size = -1 if size is None else operator.index(size)
    return MAX_SIZE if size < 0 else size


def _normalize(mode: str) -> str:
    if not isinstance(mode, str):
        raise TypeError(f"mode must be a string, not {mode!r}")
    for known in MODES:
        if sorted(mode) == sorted(known):
            return known
    raise ValueError(f"invalid mode: {mode!r}; a large object is opened as {', '.join(MODES)}")


def _as_bytes(view: memoryview) -> memoryview:
    try:
        return view.cast("B")
    except TypeError:  # for items in a format that is not the machine's own
        return memoryview(view.tobytes())
