"""What is sent for a file: status, headers and pieces of the content, as values."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, NamedTuple

from asgiref.sync import sync_to_async
from django.db import connections
from django.utils.http import parse_http_date

from . import catalogue, conditions, ranges
from .catalogue import Entry
from .database import read
from .headers import without_content

# Of a file it says the number: its name, and the suffixes of its stored name, are the user's.
logger = logging.getLogger("lo_storage")

# Measured: for rows below 128 KiB glibc keeps the memory that PostgreSQL puts them together in. The
# last MiB takes less than half the processor time there that it takes in two pieces of 512 KiB.
PIECE = 124 * 1024

# What one statement reads, and a slow reader keeps in memory: a MiB, and a bit.
WINDOW = 9 * PIECE

# Measured: a range, which has a statement of its own, takes as long as so much content.
STATEMENT = 64 * 1024

# Seconds in which a fast reader comes back. Measured: to connect again takes 3 ms.
PATIENCE = 0.1

# Bytes as they are, or a part of the content from a start up to an end, without it.
Segment = bytes | tuple[int, int]


class ContentChanged(ConnectionError):
    """The file was overwritten or deleted in the middle of a download, which must be cut.

    A client then resumes with If-Range and gets a whole new file, never a mixture of two.
    """


class ContentMissing(Exception):
    """The catalogue has a file whose large object is missing, or is shorter than it says.

    No OSError, for which gunicorn would close the connection without an answer.
    """


class Answer(NamedTuple):
    """What answers a request."""

    status: int
    headers: dict[str, str]
    segments: list[Segment]


def answer(
    method: str | None, asked: Mapping[str, str], entry: Entry, described: dict[str, str]
) -> Answer:
    """Return the answer to a GET or HEAD.

    Arguments: the method; the headers of the request, by names of any case; the file, and the
    headers that describe it. Raises `ContentMissing`.
    """
    if entry.content is not None:
        _check_length(entry, len(entry.content), entry.size)
    etag, modified = described["ETag"], parse_http_date(described["Last-Modified"])
    empty = {**without_content(described), "Content-Length": "0"}
    match conditions.unmet(asked, etag, modified):
        case 304:
            # All of them, by which a cache mends what it has: RFC 9111, section 3.2.
            return Answer(304, described, [])
        case 412:
            return Answer(412, empty, [])
    whole = Answer(200, {**described, "Content-Length": str(entry.size)}, [(0, entry.size)])
    if method == "HEAD":  # For which ranges are not defined: RFC 9110, section 14.2.
        return whole._replace(segments=[])
    # It may have changed twice in that second: section 8.8.2.2.
    strong = modified if entry.version == 1 else None
    if not conditions.is_current(asked.get("If-Range"), etag, strong):
        return whole
    try:
        spans = ranges.parse(asked.get("Range", ""), entry.size)
    except ranges.RangeNotSatisfiable:
        return Answer(416, {**empty, "Content-Range": f"bytes */{entry.size}"}, [])
    if spans is None:
        return whole
    partial = _partial(described, entry.size, spans)
    # No header is to make more work than the file is long: sections 14.2 and 17.15.
    statements = len(spans) if entry.content is None else 0
    work = int(partial.headers["Content-Length"]) + statements * STATEMENT
    return partial if len(spans) == 1 or work <= entry.size else whole


def _partial(described: dict[str, str], size: int, spans: list[tuple[int, int]]) -> Answer:
    """Return the answer that has one part of a file, or several (section 15.3.7)."""
    content_ranges = [f"bytes {start}-{end - 1}/{size}" for start, end in spans]
    if len(spans) == 1:
        (start, end), (content_range,) = spans[0], content_ranges
        more = {"Content-Length": str(end - start), "Content-Range": content_range}
        return Answer(206, {**described, **more}, [(start, end)])
    boundary = secrets.token_hex(16)  # Which no content has by chance, or can know.
    content_type = described["Content-Type"]
    segments: list[Segment] = []
    for span, content_range in zip(spans, content_ranges, strict=True):
        # A line may end before the first boundary, too: section 14.6.
        head = (
            f"\r\n--{boundary}\r\n"
            f"Content-Type: {content_type}\r\nContent-Range: {content_range}\r\n\r\n"
        )
        segments += [head.encode(), span]
    segments.append(f"\r\n--{boundary}--\r\n".encode())
    length = sum(len(s) if isinstance(s, bytes) else s[1] - s[0] for s in segments)
    more = {
        "Content-Type": f"multipart/byteranges; boundary={boundary}",
        "Content-Length": str(length),
    }
    return Answer(206, {**described, **more}, segments)


def pieces(alias: str, entry: Entry, segments: list[Segment]) -> Iterator[bytes]:
    """Yield what the segments say; one statement, and no transaction, for each MiB.

    Content that came with `entry` is not read again. Between two pieces a connection of a pool is
    back in the pool. Raises `ContentChanged` when the file is no longer the version of `entry`.
    """
    if entry.content is not None:
        _release(of_pools=True)
    for step in _steps(entry, segments):
        yield from [step] if isinstance(step, bytes) else _read(alias, entry, *step)


async def async_pieces(alias: str, entry: Entry, segments: list[Segment]) -> AsyncIterator[bytes]:
    """As `pieces()`, for ASGI, where a plain generator would be read whole before it is sent.

    Each request has a thread and connections of its own there. Where there is no pool they are
    closed when a reader keeps a piece waiting, and with the request, whatever CONN_MAX_AGE is.
    """
    # Nothing is awaited after the last piece: the client that has it may ask for more at once, and
    # uvicorn would begin that request in the context of this one, which Django then ends.
    try:
        for step in _steps(entry, segments):
            rows = [step] if isinstance(step, bytes) else await _async_read(alias, entry, *step)
            closing = asyncio.create_task(_close_after(PATIENCE, asyncio.current_task()))
            try:
                for row in rows:
                    yield row
            finally:
                closing.cancel()
                del rows  # before the next ones come
    except Exception:  # After which Django would not close them.
        await _async_release()
        raise


async def _close_after(seconds: float, sender: asyncio.Task[Any] | None) -> None:
    await asyncio.sleep(seconds)
    # Once the request has ended nothing is open, and for its thread asgiref would start another.
    if sender and not sender.done():
        await _async_release()


def _steps(entry: Entry, segments: list[Segment]) -> Iterator[Segment]:
    """Yield the segments, cut into steps of a window at the most."""
    for segment in segments:
        if isinstance(segment, bytes):
            yield segment
            continue
        start, end = segment
        if entry.content is not None:
            yield entry.content[start:end]
        else:
            for position in range(start, end, WINDOW):
                yield position, min(position + WINDOW, end)


def _read(alias: str, entry: Entry, start: int, end: int) -> list[bytes]:
    try:
        *version, rows = read(
            alias, lambda c: catalogue.read_version(c, entry.loid, start, end, PIECE)
        )
    except FileNotFoundError as error:
        if read(alias, lambda c: catalogue.find(c, entry.name)) is not None:
            raise _missing(entry) from error
        raise _changed(entry, "deleted") from error
    finally:
        _release(of_pools=True)
    if version != [entry.version, entry.modified_at]:
        raise _changed(entry, "overwritten")
    _check_length(entry, sum(map(len, rows)), end - start)
    return rows


def _release(*, of_pools: bool = False) -> None:
    """Close this thread's connections that are in no transaction, or only those of pools."""
    connection: Any
    for connection in connections.all(initialized_only=True):
        if connection.autocommit and (not of_pools or getattr(connection, "pool", None)):
            connection.close()


def end_with_request() -> None:
    """Let Django close this thread's connections with the request, whatever CONN_MAX_AGE is."""
    for connection in connections.all(initialized_only=True):
        connection.close_at = 0


@sync_to_async
def _async_read(alias: str, entry: Entry, start: int, end: int) -> list[bytes]:
    try:
        return _read(alias, entry, start, end)
    finally:
        end_with_request()


_async_release = sync_to_async(_release)


def _changed(entry: Entry, how: str) -> ContentChanged:
    message = f"large object {entry.loid} was {how} while it was sent"
    logger.warning("Download cut: %s", message)
    return ContentChanged(message)


def _check_length(entry: Entry, length: int, expected: int) -> None:
    if length != expected:
        raise _missing(entry)


def _missing(entry: Entry) -> ContentMissing:
    message = f"large object {entry.loid} is in the catalogue, and is missing or too short"
    logger.error("%s", message)
    return ContentMissing(message)
