"""Byte ranges of HTTP (RFC 9110, section 14), as pure functions."""

import re

# A header of more ranges is ignored, and the whole content sent: each range costs a round trip.
MAX_RANGES = 50

# "\d" would match digits of other scripts, too, and int() would read them.
_SPEC = re.compile(r"([0-9]+)-([0-9]+)?|-([0-9]+)")


class RangeNotSatisfiable(Exception):
    """The ranges have no byte of the content, which has `size` bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(f"no byte of the ranges is in the content's {size}")
        self.size = size


def parse(header: str, size: int) -> list[tuple[int, int]] | None:
    """Return the ranges that a Range header asks for, as pairs (start, end) without the end.

    Arguments:

    - `header`: the header's value, or "".
    - `size`: of the content, in bytes.

    None says to send the whole content: the header is absent (""), of another unit, malformed, or
    has more than `MAX_RANGES` ranges (section 14.2). Ranges that overlap or touch become one, in
    the place of the first of them (section 15.3.7.2): no byte is sent twice. Raises
    `RangeNotSatisfiable` (section 15.5.17).
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
                return None  # It is satisfiable (section 14.1.2), but no Content-Range can say so.
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
    """Return the ranges with one more, merged into the first of those that it touches."""
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
    # int() refuses thousands of digits, which are legal here. No content has a byte of that number.
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= 1_000 else 10**1_000
