"""The answer to a request for a file, as a value: status, headers, and which bytes to send."""

import logging
import secrets
from collections.abc import Mapping
from typing import NamedTuple

from django.utils.http import parse_http_date

from ..catalogue import TABLE, Entry
from . import conditions, ranges
from .headers import refusal_headers

# It names a file by its number: original name and suffixes are the user's words.
logger = logging.getLogger("lo_storage")

# What a statement costs, in bytes of content that take as long to send: measured.
STATEMENT_COST = 64 * 1024

# Bytes to send as they are, or (start, end) of the content, without the end.
Segment = bytes | tuple[int, int]


class ContentMissing(Exception):
    """The catalogue has the file, and its large object is missing, or of another size.

    It is no `OSError`: gunicorn takes one for a client that went away, and answers nothing.
    """


class ContentForbidden(Exception):
    """The role may not read the large object. Like `ContentMissing` it is no `OSError`."""


class Answer(NamedTuple):
    """Status, headers, and the segments of the body."""

    status: int
    headers: dict[str, str]
    segments: list[Segment]


def answer(
    method: str | None,
    request_headers: Mapping[str, str],
    entry: Entry,
    file_headers: dict[str, str],
) -> Answer:
    """Return the answer to a GET or HEAD.

    Arguments:

    - `method`: of the request.
    - `request_headers`: those of the request, by names of any case.
    - `entry`: the file.
    - `file_headers`: those that describe the file (`headers.describe`).

    Raises `ContentMissing`.
    """
    if entry.content is not None:
        check_length(entry, len(entry.content), entry.size)
    etag, modified = file_headers["ETag"], parse_http_date(file_headers["Last-Modified"])
    refusal = {**refusal_headers(file_headers), "Content-Length": "0"}
    match conditions.unmet(request_headers, etag, modified):
        case 304:
            # With all headers, by which a cache brings its own up to date: RFC 9111, section 3.2.
            return Answer(304, file_headers, [])
        case 412:
            return Answer(412, refusal, [])
    whole = Answer(200, {**file_headers, "Content-Length": str(entry.size)}, [(0, entry.size)])
    if method == "HEAD":  # Ranges are defined for GET alone: RFC 9110, section 14.2.
        return whole._replace(segments=[])
    # Two versions may have one date: after the first it is no strong validator (section 8.8.2.2).
    strong_date = modified if entry.version == 1 else None
    if not conditions.is_current(request_headers.get("If-Range"), etag, strong_date):
        return whole
    try:
        spans = ranges.parse(request_headers.get("Range", ""), entry.size)
    except ranges.RangeNotSatisfiable:
        return Answer(416, {**refusal, "Content-Range": f"bytes */{entry.size}"}, [])
    if spans is None:
        return whole
    partial = _partial(file_headers, entry.size, spans)
    # Several ranges that cost more than the whole file are ignored: sections 14.2 and 17.15.
    statements = len(spans) if entry.content is None else 0
    cost = int(partial.headers["Content-Length"]) + statements * STATEMENT_COST
    return partial if len(spans) == 1 or cost <= entry.size else whole


def _partial(file_headers: dict[str, str], size: int, spans: list[tuple[int, int]]) -> Answer:
    """Return the answer that has one part of the content, or several (section 15.3.7)."""
    content_ranges = [f"bytes {start}-{end - 1}/{size}" for start, end in spans]
    if len(spans) == 1:
        (start, end), (content_range,) = spans[0], content_ranges
        more = {"Content-Length": str(end - start), "Content-Range": content_range}
        return Answer(206, {**file_headers, **more}, [(start, end)])
    boundary = secrets.token_hex(16)  # No content has it by chance, and nobody can guess it.
    content_type = file_headers["Content-Type"]
    segments: list[Segment] = []
    for span, content_range in zip(spans, content_ranges, strict=True):
        # Before the first boundary, too, a line may end: section 14.6.
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
    return Answer(206, {**file_headers, **more}, segments)


def check_length(entry: Entry, length: int, expected: int) -> None:
    """Raise `ContentMissing` where a read gave another number of bytes than the catalogue says."""
    if length != expected:
        raise missing(entry)


def missing(entry: Entry) -> ContentMissing:
    """Log that the large object is not what the catalogue says; return the exception to raise."""
    message = f"large object {entry.loid} is in the catalogue, and is missing or not of its size"
    logger.error("%s", message)
    return ContentMissing(message)


def forbidden(loid: int | None, error: PermissionError) -> ContentForbidden:
    """Log that the object may not be read, and what mends it; return the exception to raise."""
    if TABLE in str(error):
        remedy = f"give the role of the site the right, by GRANT SELECT ON {TABLE} TO …"
    else:
        remedy = f"give it to the role of the site, by ALTER LARGE OBJECT {loid} OWNER TO …"
    message = f"large object {loid} may not be read: {error.strerror}; {remedy}"
    logger.error("%s", message)
    return ContentForbidden(message)
