"""What is sent for a file: status, headers and pieces of the content, as values.

What was uploaded is taken for hostile. The content type comes from the stored name and never from
the content; only types that cannot run are shown in the browser, the others are saved to disk.
"""

import mimetypes
from collections.abc import AsyncIterator, Iterator
from datetime import UTC
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import quote

from asgiref.sync import sync_to_async
from django.db import connections

from . import catalogue, ranges
from .catalogue import Entry
from .database import cursor
from .large_objects import PIECE

# Neither HTML nor SVG nor XML: each of these can carry a script.
INLINE = {
    *("image/avif", "image/bmp", "image/gif", "image/jpeg", "image/png", "image/webp"),
    *("audio/flac", "audio/mp4", "audio/mpeg", "audio/ogg", "audio/wav", "audio/webm"),
    *("video/mp4", "video/ogg", "video/webm", "application/pdf", "text/plain"),
}


class ContentChanged(ConnectionError):
    """The file was overwritten or deleted in the middle of a download, which must be cut.

    A client then resumes with If-Range and gets a whole new file, never a mixture of two.
    """


class Selection(NamedTuple):
    """The part of the content that answers a request: from `start` up to `end`, without it."""

    status: int
    start: int
    end: int
    headers: dict[str, str]


def etag(entry: Entry) -> str:
    """Return the strong validator, which survives dump and restore (RFC 9110, section 8.8.3)."""
    # After a restore into a new cluster a number may be given again, but not at the same time.
    modified = entry.modified_at.astimezone(UTC).strftime("%Y%m%d%H%M%S%f")
    return f'"{entry.loid}-{entry.version}-{modified}"'


def headers(
    entry: Entry, as_attachment: bool | None = None, download_name: str | None = None
) -> dict[str, str]:
    """Return the headers that describe a file, whatever part of it is sent.

    Arguments: `as_attachment`, whether the browser is told to save the file (None: unless its type
    cannot run); what can run is always saved. `download_name`, the name that it is saved under
    (None: the original name).
    """
    content_type, encoding = mimetypes.guess_type(entry.name)
    is_safe = content_type in INLINE and encoding is None
    if not is_safe or content_type is None:
        content_type = "application/octet-stream"
    elif content_type == "text/plain":
        content_type = "text/plain; charset=utf-8"
    return {
        "Content-Type": content_type,
        "Content-Disposition": _disposition(
            "attachment" if as_attachment or not is_safe else "inline",
            entry.original_name or entry.name if download_name is None else download_name,
        ),
        "Accept-Ranges": "bytes",
        "ETag": etag(entry),
        "Last-Modified": format_datetime(entry.modified_at.astimezone(UTC), usegmt=True),
        "Cache-Control": "private, no-cache",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }


def select(entry: Entry, range_header: str | None, if_range: str | None) -> Selection:
    """Return the part that a GET asks for (RFC 9110, sections 13.1.5 and 14.2)."""
    whole = Selection(200, 0, entry.size, {"Content-Length": str(entry.size)})
    if range_header is None or (if_range is not None and not _is_current(entry, if_range)):
        return whole
    try:
        span = ranges.parse(range_header, entry.size)
    except ranges.RangeNotSatisfiable as error:
        return Selection(416, 0, 0, {"Content-Range": f"bytes */{error.size}"})
    if span is None:
        return whole
    start, end = span
    return Selection(
        206,
        start,
        end,
        {
            "Content-Length": str(end - start),
            "Content-Range": f"bytes {start}-{end - 1}/{entry.size}",
        },
    )


def pieces(alias: str, entry: Entry, start: int, end: int) -> Iterator[bytes]:
    """Yield the content from `start` to `end`; one statement, and no transaction, a MiB.

    Raises `ContentChanged` when the file is no longer the version of `entry`.
    """
    for offset in range(start, end, PIECE):
        yield _piece(alias, entry, offset, min(PIECE, end - offset))


async def async_pieces(alias: str, entry: Entry, start: int, end: int) -> AsyncIterator[bytes]:
    """As `pieces()`, for ASGI, where a plain generator would be read whole before it is sent."""
    for offset in range(start, end, PIECE):
        yield await sync_to_async(_piece)(alias, entry, offset, min(PIECE, end - offset))


def _piece(alias: str, entry: Entry, offset: int, length: int) -> bytes:
    try:
        with cursor(alias) as c:
            *version, data = catalogue.read_version(c, entry.loid, offset, length)
    except FileNotFoundError as error:
        raise ContentChanged(f"{entry.name} was deleted while it was sent") from error
    finally:
        connection: Any = connections[alias]
        if connection.pool and not connection.in_atomic_block:
            connection.close()  # Back to the pool: a slow reader must not keep it.
    if version != [entry.version, entry.modified_at]:
        raise ContentChanged(f"{entry.name} was overwritten while it was sent")
    return data


def _is_current(entry: Entry, if_range: str) -> bool:
    """Whether an If-Range header holds (RFC 9110, section 13.1.5)."""
    if '"' in if_range:
        return if_range.strip() == etag(entry)
    if entry.version > 1:
        return False  # It may have changed twice in that second: section 8.8.2.2.
    try:
        return parsedate_to_datetime(if_range) == entry.modified_at.replace(microsecond=0)
    except (TypeError, ValueError, OverflowError):
        return False


def _disposition(kind: str, filename: str) -> str:
    """Return the Content-Disposition header (RFC 6266; other names as in RFC 8187)."""
    if filename.isascii() and filename.isprintable():
        quoted = filename.replace("\\", r"\\").replace('"', r"\"")
        return f'{kind}; filename="{quoted}"'
    return f"{kind}; filename*=UTF-8''{quote(filename, safe='', errors='replace')}"
