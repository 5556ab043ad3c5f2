"""The content of an answer, as it is sent: one statement for each MiB.

A reader may be slow, and databases have few connections. While a reader is waited for, a pooled
connection is back in its pool, and under ASGI any other is closed after `PATIENCE`. Only WSGI
without a pool keeps its connection.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from functools import partial
from threading import Event

from asgiref.sync import sync_to_async
from django.db import connections

from .. import catalogue
from ..catalogue import Entry
from ..database import close_connections, retry_on_recovery_conflict
from .answers import Segment, check_length, forbidden, logger, missing

# What one row holds. Measured: PostgreSQL reads the last MiB of a file in 1.3 ms, and by rows of
# 512 KiB in 2.1 ms. Below 128 KiB glibc keeps the memory of a row for the next one.
SEND_ROW_SIZE = 124 * 1024

# What one statement reads, and a slow reader keeps in memory: a MiB, and a bit.
SEND_SIZE = 9 * SEND_ROW_SIZE

# For how many seconds a connection waits for the reader. Measured: to connect again takes 3 ms.
PATIENCE = 0.1

# The rows of the content from one place to another. It keeps no pooled connection.
type Read = Callable[[int, int], list[bytes]]


class ContentChanged(Exception):
    """The file was overwritten or deleted in the middle of a download, which is cut by this.

    A client then resumes with If-Range and gets a whole new file, never a mixture of two. It is no
    `OSError`: a server would take one for a client that went away.
    """


def stream(
    alias: str, entry: Entry, segments: list[Segment], read: Read | None = None
) -> Iterator[bytes]:
    """Read the first MiB of an answer, and return an iterator of all of its bytes, for WSGI.

    Arguments:

    - `alias`: the database that has the file.
    - `entry`: the file; where its `content` was read with it, nothing is read again.
    - `segments`: those of the answer.
    - `read`: what reads an object that is in no catalogue.

    Each MiB is one statement, in no transaction. While the caller has a row, a connection of a pool
    is back in the pool. Raises `ContentMissing`, `ContentForbidden`, and `ContentChanged` when the
    file is no longer the version of `entry`; so does the iterator.
    """
    steps = _steps(entry, segments)
    read = read or partial(_read, alias, entry)
    first = _begin(steps, read)

    def rows() -> Iterator[bytes]:
        yield from first
        first.clear()
        for step in steps:
            yield from [step] if isinstance(step, bytes) else read(*step)

    return rows()


class _Rows:
    """What Django iterates over, and closes before the request's thread ends."""

    def __init__(self, rows: AsyncIterator[bytes], closed: Event) -> None:
        self._rows, self.close = rows, closed.set

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._rows


def astream(
    alias: str, entry: Entry, segments: list[Segment], read: Read | None = None
) -> AsyncIterable[bytes]:
    """As `stream()`, for ASGI, where a plain generator would be read whole before it is sent.

    Each request has a thread and connections of its own there. Those of no pool are closed once the
    reader has kept a row waiting for `PATIENCE`, and with the request, whatever CONN_MAX_AGE is.
    """
    steps, closed = _steps(entry, segments), Event()
    read = read or partial(_read, alias, entry)
    return _Rows(_astream(_begin(steps, read), steps, read, closed), closed)


async def _astream(
    rows: list[bytes], steps: Iterator[Segment], read: Read, closed: Event
) -> AsyncIterator[bytes]:
    # Nothing is awaited after the last row. The client may already send its next request; uvicorn
    # would start it in this request's context, and Django would close the connections of the next
    # request when this one ends.
    try:
        while True:
            closing = asyncio.create_task(_close_after(PATIENCE, closed))
            try:
                for row in rows:
                    yield row
            finally:
                closing.cancel()
                del rows  # before the next ones come
            step = next(steps, None)
            if step is None:
                return
            rows = [step] if isinstance(step, bytes) else await _aread(read, *step)
    except Exception:  # After an exception Django would not close the connections.
        await _aclose_connections()
        raise


def _begin(steps: Iterator[Segment], read: Read) -> list[bytes]:
    """Read the first content, and return it with what goes before it: errors precede any byte."""
    first: list[bytes] = []
    for step in steps:
        if not isinstance(step, bytes):
            return [*first, *read(*step)]
        first.append(step)
    close_connections(pooled_only=True)  # It has found the file, and nothing was to be read.
    return first


def close_connections_with_request() -> None:
    """Let Django close this thread's connections with the request, whatever CONN_MAX_AGE is."""
    for connection in connections.all(initialized_only=True):
        connection.close_at = 0


def _steps(entry: Entry, segments: list[Segment]) -> Iterator[Segment]:
    """Yield the segments, those of the content cut into what one statement reads."""
    for segment in segments:
        if isinstance(segment, bytes):
            yield segment
            continue
        start, end = segment
        if entry.content is not None:
            yield entry.content[start:end]
        else:
            for position in range(start, end, SEND_SIZE):
                yield position, min(position + SEND_SIZE, end)


def _read(alias: str, entry: Entry, start: int, end: int) -> list[bytes]:
    try:
        version, rows = retry_on_recovery_conflict(
            alias,
            lambda c: catalogue.read_version(
                c, entry.loid, start, end, entry.created_at, SEND_ROW_SIZE
            ),
        )
    except FileNotFoundError as error:
        raise _not_found(alias, entry) from error
    except PermissionError as error:
        raise forbidden(entry.loid, error) from error
    finally:
        close_connections(pooled_only=True)
    if version != (entry.version, entry.modified_at):
        raise _changed(entry, "overwritten")
    check_length(entry, sum(map(len, rows)), end - start)
    return rows


@sync_to_async
def _aread(read: Read, start: int, end: int) -> list[bytes]:
    try:
        return read(start, end)
    finally:
        close_connections_with_request()


_aclose_connections = sync_to_async(close_connections)


async def _close_after(seconds: float, closed: Event) -> None:
    await asyncio.sleep(seconds)
    # A closed response has no connection, and perhaps no thread: asgiref would start a new one.
    if not closed.is_set():
        await _aclose_connections()


def _not_found(alias: str, entry: Entry) -> Exception:
    """Look why there was nothing to read; return the exception to raise."""
    try:
        now = retry_on_recovery_conflict(alias, partial(catalogue.find, name=entry.name))
    except PermissionError as error:
        return forbidden(entry.loid, error)
    if now is not None and now.created_at == entry.created_at:
        return missing(entry)
    return _changed(entry, "deleted")


def _changed(entry: Entry, how: str) -> ContentChanged:
    message = f"large object {entry.loid} was {how} while it was sent"
    logger.warning("Download cut: %s", message)
    return ContentChanged(message)
