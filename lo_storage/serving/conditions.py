"""Preconditions of HTTP (RFC 9110, section 13), for GET and HEAD, as pure functions.

Django's `get_conditional_response()` differs in three points:

- It treats a malformed If-Match or If-None-Match as absent, and then uses the date beside it, which
  sections 13.1.3 and 13.1.4 say to ignore.
- It ignores the first second of 1970.
- It does not know If-Range.
"""

from collections.abc import Mapping

from django.utils.http import parse_etags, parse_http_date_safe


def unmet(headers: Mapping[str, str], etag: str, modified: int) -> int | None:
    """Return 412 or 304 for the first condition that is not met (section 13.2.2), or else None.

    Arguments:

    - `headers`: of the request, by names of any case.
    - `etag`: the strong validator.
    - `modified`: the time of the last change, in seconds since 1970.
    """
    if "If-Match" in headers:
        if not _lists(headers["If-Match"], etag):
            return 412
    elif modified > _date(headers, "If-Unmodified-Since", default=modified):
        return 412
    if "If-None-Match" in headers:
        if _lists(headers["If-None-Match"], etag, f"W/{etag}"):
            return 304
    elif modified <= _date(headers, "If-Modified-Since", default=-1):
        return 304
    return None


def is_current(if_range: str | None, etag: str, modified: int | None) -> bool:
    """Whether an If-Range header holds, or there is none (section 13.1.5).

    Arguments:

    - `if_range`: the header's value, or None.
    - `etag`: the strong validator.
    - `modified`: as in `unmet`, or None where it is no strong validator (section 8.8.2.2).
    """
    if if_range is None:
        return True
    if '"' in if_range:
        return if_range.strip() == etag
    return modified is not None and parse_http_date_safe(if_range) == modified


def _lists(header: str, *tags: str) -> bool:
    listed = parse_etags(header)
    return listed == ["*"] or any(tag in listed for tag in tags)


def _date(headers: Mapping[str, str], name: str, default: int) -> int:
    """Return the time in a header, or the default where there is none."""
    if name not in headers:
        return default
    date = parse_http_date_safe(headers[name])
    return default if date is None else date
