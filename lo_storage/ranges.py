"""Byte ranges of HTTP (RFC 9110, section 14), as pure functions."""

import re

# Of more, a header is ignored, and the whole content sent: each range costs a round trip.
MAX_RANGES = 50

# Not \d: that also matches digits of other scripts, which int() takes for numbers.
_SPEC = re.compile(r"([0-9]+)-([0-9]+)?|-([0-9]+)")


class RangeNotSatisfiable(Exception):
    """No byte of a content of `size` bytes is in the ranges."""

    def __init__(self, size: int) -> None:
        super().__init__(f"no byte of the ranges is in the content's {size}")
        self.size = size


def parse(header: str, size: int) -> list[tuple[int, int]] | None:
    """Return the ranges that a Range header asks for, as pairs (start, end) without the end.

    Arguments: the header's value, and the size of the content in bytes.

    Returns None where the header is to be ignored and the whole content sent: another unit, a
    malformed header, or more than `MAX_RANGES` ranges (section 14.2). Ranges that overlap or touch
    are one, in the place of the first of them (section 15.3.7.2), so that no byte is sent twice.
    Raises `RangeNotSatisfiable` (section 15.5.17).
    """
    unit, _, listed = header.partition("=")
    # A list may have empty elements: section 5.6.1.2.
    specs = [spec for element in listed.split(",") if (spec := element.strip(" \t"))]
    if unit.lower() != "bytes" or not 0 < len(specs) <= MAX_RANGES:
        return None
    ranges: list[tuple[int, int]] = []
    for spec in specs:
        match = _SPEC.fullmatch(spec)
        if match is None:
            return None
        first, last, suffix = match.groups()
        if suffix is not None:
            length = _number(suffix)
            if length and not size:
                return None  # Satisfiable (section 14.1.2), but no Content-Range can say so.
            start, end = max(size - length, 0), size
        else:
            start, end = _number(first), size
            if last is not None:
                if _number(last) < start:
                    return None
                end = min(_number(last) + 1, size)
        if start < end:
            ranges = _add(ranges, start, end)
    if not ranges:
        raise RangeNotSatisfiable(size)
    return ranges


def _add(ranges: list[tuple[int, int]], start: int, end: int) -> list[tuple[int, int]]:
    """Return the ranges with one more, which takes the place of the first that it touches."""
    touched = [pair for pair in ranges if pair[0] <= end and start <= pair[1]]
    if not touched:
        return [*ranges, (start, end)]
    merged = min(start, *(a for a, _ in touched)), max(end, *(b for _, b in touched))
    return [
        merged if pair == touched[0] else pair
        for pair in ranges
        if pair == touched[0] or pair not in touched
    ]


def _number(digits: str) -> int:
    # Legal, but refused by int(): thousands of digits. No content has a byte of that number.
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= 1_000 else 10**1_000
