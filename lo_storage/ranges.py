"""Byte ranges of HTTP (RFC 9110, section 14), as pure functions."""

import re

# Not \d: that also matches digits of other scripts, which int() takes for numbers.
_RANGE = re.compile(r"bytes=[ \t]*(?:([0-9]+)-([0-9]*)|-([0-9]+))[ \t]*", re.IGNORECASE)


class RangeNotSatisfiable(Exception):
    """No byte of a content of `size` bytes is in the range."""

    def __init__(self, size: int) -> None:
        super().__init__(f"no byte of the range is in the content's {size}")
        self.size = size


def parse(header: str, size: int) -> tuple[int, int] | None:
    """Return the range that a Range header asks for, as (start, end) without the end.

    Arguments: the header's value, and the size of the content in bytes.

    Returns None where the header is to be ignored and the whole content sent: another unit, a
    malformed header, or several ranges (section 14.2 lets a server ignore any Range header).
    Raises `RangeNotSatisfiable` (section 15.5.17).
    """
    match = _RANGE.fullmatch(header)
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        start, end = size - min(_number(suffix), size), size
    else:
        start, end = _number(first), size
        if last:
            if _number(last) < start:
                return None
            end = min(_number(last) + 1, size)
    if start >= end:
        raise RangeNotSatisfiable(size)
    return start, end


def _number(digits: str) -> int:
    # Legal, but refused by int(): thousands of digits. No content has a byte of that number.
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= 20 else 10**20
