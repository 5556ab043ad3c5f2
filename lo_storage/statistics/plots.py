"""Figures as bars, in hundredths of the longest; a template draws them."""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from .figures import Month, Sum


class Column(NamedTuple):
    """A month: where its bar stands, in hundredths of the plot."""

    month: date
    files: int
    bytes: int
    x: float
    y: float
    width: float
    height: float


class Bar(NamedTuple):
    """A line of a table, with its length."""

    name: str
    files: int
    bytes: int
    length: float


GAP = 0.2  # between two columns, of the room of one


def columns(months: list[Month]) -> list[Column]:
    """Return a column for each month from the first to the last, also for those without a file."""
    if not months:
        return []
    known = {one.month: one for one in months}
    every = [known.get(month, Month(month, 0, 0)) for month in _from(min(known), max(known))]
    most = max(one.bytes for one in every)
    room = 100 / len(every)
    return [
        Column(
            *one,
            x=round(room * (position + GAP / 2), 3),
            y=round(100 - _share(one.bytes, most), 3),
            width=round(room * (1 - GAP), 3),
            height=_share(one.bytes, most),
        )
        for position, one in enumerate(every)
    ]


def bars(sums: Iterable[Sum]) -> list[Bar]:
    """Return a bar for each sum, by its bytes."""
    sums = list(sums)
    most = max((one.bytes for one in sums), default=0)
    return [Bar(*one, length=_share(one.bytes, most)) for one in sums]


def _share(number: int, most: int) -> float:
    return round(100 * number / most, 3) if most else 0.0


def _from(first: date, last: date) -> Iterable[date]:
    for number in range(first.year * 12 + first.month - 1, last.year * 12 + last.month):
        yield date(number // 12, number % 12 + 1, 1)
