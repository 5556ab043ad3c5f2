"""`index.csv`: what the files of an exported folder are, for people and for the way back."""

import csv
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from django.utils.dateparse import parse_datetime

from .bags import TAG_MANIFEST, NotABag, inside, manifest
from .contents import Times

INDEX = "index.csv"

# The letters with which a cell begins that a spreadsheet takes for a formula. A "'" is put before
# them, which comes off again; so one is put before itself, too.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


class Line(NamedTuple):
    """A file, and a row that names it; of a file that no row names, app, model and row are ""."""

    app: str
    model: str
    row: str
    field: str
    path: str
    original_name: str
    stored_name: str
    size: str
    sha256: str
    created_at: str
    modified_at: str

    def times(self) -> Times:
        return _time(self.created_at), _time(self.modified_at)


def writer(file: Any) -> Any:
    """Return what writes lines, after the line with their names."""
    index = csv.writer(file)
    index.writerow(Line._fields)
    return index


def cells(line: Line) -> list[str]:
    """Return the cells of a line."""
    return [f"'{value}" if value.startswith(_FORMULA) else value for value in line]


def lines(folder: Path) -> Iterator[Line]:
    """Yield the lines of an index; raise `NotABag` where it is none."""
    if not (folder / INDEX).is_file():
        raise NotABag(f"{folder} has no {INDEX}: lo_export --all did not make it")
    try:
        yield from _lines(folder)
    except (UnicodeDecodeError, csv.Error) as error:
        raise NotABag(f"{folder}/{INDEX} cannot be read as CSV in UTF-8: {error}") from error


def check(folder: Path) -> None:
    """Raise `NotABag` where an index is not as it was written, or does not fit the files."""
    if INDEX not in {tag.path for tag in manifest(folder, TAG_MANIFEST)}:
        raise NotABag(f"{folder}/{TAG_MANIFEST} does not list {INDEX}")
    for line in lines(folder):
        if not line.path.startswith("data/"):
            raise NotABag(f"{folder}/{INDEX} names {line.path!r}, which is not in data/")
        size = inside(folder, line.path).stat().st_size
        if line.size != str(size):
            raise NotABag(
                f"{folder}/{line.path} has {size:,} bytes, and by {INDEX} {line.size[:20]!r}"
            )


def _lines(folder: Path) -> Iterator[Line]:
    with open(folder / INDEX, encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        if tuple(next(rows, [])) != Line._fields:
            raise NotABag(f"{folder}/{INDEX} has other columns than {', '.join(Line._fields)}")
        for row in rows:
            if len(row) != len(Line._fields):
                raise NotABag(f"{folder}/{INDEX}, line {rows.line_num}: {len(row)} cells")
            yield Line(*(_value(cell) for cell in row))


def _value(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell


def _time(text: str) -> datetime | None:
    try:
        return parse_datetime(text)
    except ValueError:
        return None
