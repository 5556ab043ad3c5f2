"""The files of a folder that `lo_export --all` wrote, back into the database."""

import hashlib
import json
from collections.abc import Callable, Iterator
from itertools import batched, groupby
from pathlib import Path
from typing import Any, NamedTuple

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.core.files import File
from django.db import transaction
from django.db.models import F

from .. import catalogue
from ..catalogue import SMALL_SIZE, New
from ..database import cursor, db_for_write
from ..models import LargeObject
from ..storage import DbFileStorage
from ..upkeep.finding import Finding
from .bags import inside
from .contents import (
    BATCH_FILES,
    BATCH_SIZE,
    NotAsItWas,
    compare,
    put_large,
    put_small,
    storage_errors,
)
from .index import Line, lines
from .outcomes import RUN_AGAIN, Moved
from .rows import Change, Column

# How many lines of the index are looked at together.
PAGE = 500


class Place(NamedTuple):
    """A row that is to name a file again, and what it names until now."""

    column: Column
    pk: Any
    line: Line
    value: str | None = None


class Arrival(NamedTuple):
    """A file of the folder, and the rows that are to name it."""

    path: Path
    line: Line
    places: list[Place]


def import_all(
    alias: str,
    folder: Path,
    done: Callable[[int], None],
    dry_run: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Moved | Finding]:
    """Store the files of a folder, which is a valid bag, and let their rows name them.

    A row that names a file of the same content is left as it is, and so is one that names another
    file by now, which is told. `done` is told how many bytes were looked at.
    """
    columns: dict[tuple[str, str], Column] = {}
    of_one_file = (list(same) for _, same in groupby(lines(folder), key=lambda line: line.path))
    for page in batched(of_one_file, PAGE):
        if stopped():
            return
        places = []
        for line in (line for group in page for line in group if line.row):
            found = _place(alias, columns, line)
            if isinstance(found, Place):
                places.append(found)
            else:
                yield found
        empty: dict[str, list[Place]] = {}
        for place in _look(alias, places):
            if isinstance(place, Finding):
                yield place
            else:
                empty.setdefault(place.line.path, []).append(place)
        arrivals = [
            Arrival(inside(folder, path), found[0].line, found) for path, found in empty.items()
        ]
        if dry_run:
            yield from (Moved(p.column.label, p.pk, "") for one in arrivals for p in one.places)
        else:
            for batch in _batches(arrivals):
                yield from _put(alias, batch)
        done(sum(int(group[0].size) for group in page))


def _place(alias: str, columns: dict[tuple[str, str], Column], line: Line) -> Place | Finding:
    """Return where a line belongs."""
    key = f"{line.app}.{line.model}", line.field
    try:
        if key not in columns:
            model = apps.get_model(key[0])
            columns[key] = Column(model, model._meta.get_field(line.field), alias)
        column = columns[key]
        storage = column.field.storage
    except (LookupError, ValueError, FieldDoesNotExist, AttributeError):
        return _finding(
            line, "refused", "there is no such file field", "Import it with the models it is of"
        )
    if not isinstance(storage, DbFileStorage) or db_for_write(storage.alias) != alias:
        return _finding(
            line, "refused", "the field keeps its files elsewhere", "Give it a DbFileStorage"
        )
    try:
        return Place(column, _key(column, line.row), line)
    except (ValidationError, ValueError):
        return _finding(line, "row-missing", "there is no such row", "Restore the rows first")


def _key(column: Column, text: str) -> Any:
    """Return the primary key that a line has as text."""
    fields = getattr(column.model._meta, "pk_fields", [])
    if len(fields) < 2:
        return column.model._meta.pk.to_python(text)
    return tuple(
        field.to_python(part) for field, part in zip(fields, json.loads(text), strict=True)
    )


def _look(alias: str, places: list[Place]) -> Iterator[Place | Finding]:
    """Yield the rows that name no file, or one that is lost, and what cannot be."""
    values: dict[tuple[str, Any], str | None] = {}
    for column in {place.column for place in places}:
        keys = [place.pk for place in places if place.column == column]
        found = column.rows().filter(pk__in=keys).values_list("pk", column.field.name)
        values.update({(column.label, pk): value for pk, value in found})
    names = [value for value in values.values() if value]
    entries = {
        entry.name: entry for entry in LargeObject.objects.using(alias).filter(name__in=names)
    }
    for place in places:
        if (place.column.label, place.pk) not in values:
            yield _finding(
                place.line, "row-missing", "there is no such row", "Restore the rows first"
            )
            continue
        value = values[place.column.label, place.pk]
        entry = entries.get(value or "")
        if not value or (entry is None and value == place.line.stored_name):
            yield place._replace(value=value)
        elif entry is None or entry.sha256 != place.line.sha256:
            yield _finding(
                place.line,
                "another-file",
                f"names {value} by now, which is another file",
                "Leave it, or make the row name nothing and run it again",
            )


def _batches(arrivals: list[Arrival]) -> Iterator[list[Arrival]]:
    """Yield small files by the MiB, and each large one by itself."""
    batch: list[Arrival] = []
    size = 0
    for arrival in arrivals:
        one = int(arrival.line.size)
        if batch and (size + one > BATCH_SIZE or len(batch) == BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(arrival)
        size += one
    if batch:
        yield batch


def _put(alias: str, batch: list[Arrival], wait: bool = False) -> Iterator[Moved | Finding]:
    """Store files and name them, in one transaction; what fails there, each in its own."""
    named: set[Place] = set()
    try:
        with transaction.atomic(using=alias):
            new = _store(alias, batch)
            for column in {place.column for arrival in batch for place in arrival.places}:
                changes = {
                    place.pk: Change(place.value, name)
                    for arrival, name in zip(batch, new, strict=True)
                    for place in arrival.places
                    if place.column == column
                }
                rows = column.rows().annotate(value=F(column.field.name))
                renamed = column.rename(rows, changes, wait)
                named.update(
                    place
                    for arrival in batch
                    for place in arrival.places
                    if place.column == column and place.pk in renamed
                )
            with cursor(alias) as c:
                for arrival, name in zip(batch, new, strict=True):
                    if named.isdisjoint(arrival.places):
                        catalogue.delete(c, name)
    except storage_errors() as error:
        if len(batch) > 1:
            for arrival in batch:
                yield from _put(alias, [arrival], wait=True)
            return
        yield _finding(
            batch[0].line,
            "wrong-content" if isinstance(error, NotAsItWas) else "refused",
            f"was not moved: {' '.join(str(error).split())}",
            RUN_AGAIN,
        )
        return
    for arrival in batch:
        for place in arrival.places:
            if place in named:
                yield Moved(place.column.label, place.pk, arrival.line.path)
        if not wait and named.isdisjoint(arrival.places):
            yield from _put(alias, [arrival], wait=True)


def _store(alias: str, batch: list[Arrival]) -> list[str]:
    """Store files in this transaction; return their stored names."""
    first = batch[0]
    if int(first.line.size) >= SMALL_SIZE and len(batch) == 1:
        storage = first.places[0].column.field.storage
        with open(first.path, "rb") as file:
            name, sha256 = put_large(
                storage,
                alias,
                first.line.original_name or name_of(first),
                File(file),
                first.line.times(),
            )
        compare(sha256, first.line.sha256)
        return [name]
    files = []
    for arrival in batch:
        content = arrival.path.read_bytes()
        compare(hashlib.sha256(content).hexdigest(), arrival.line.sha256)
        files.append(
            New(
                content,
                arrival.line.original_name or name_of(arrival),
                arrival.line.sha256,
                *arrival.line.times(),
            )
        )
    return put_small(alias, files)


def name_of(arrival: Arrival) -> str:
    """Return what a file is called that had no original name, so that it keeps its suffix."""
    return arrival.path.name


def _finding(line: Line, kind: str, what: str, mend: str) -> Finding:
    where = f"{line.app}.{line.model}.{line.field}, row {line.row}"
    return Finding("error", kind, where, what, mend, line.stored_name, line.row)
