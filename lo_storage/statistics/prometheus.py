"""Figures as Prometheus reads them: its text format, version 0.0.4."""

from collections.abc import Iterator
from typing import NamedTuple

from .figures import Figures

# What a table of 8 kB pages can hold (PostgreSQL, "PostgreSQL Limits"), and how many large objects
# a database can number.
MOST_BYTES = 32 * 2**40
MOST_OBJECTS = 2**32 - 1


class Metric(NamedTuple):
    """A gauge, and its samples: the labels, beside the database, and the number."""

    name: str
    help: str
    samples: list[tuple[dict[str, str], int]]


def exposition(figures: Figures) -> str:
    """Return figures as a text that node_exporter's textfile collector takes."""
    database = {"database": figures.database}
    lines = []
    for name, about, samples in _metrics(figures):
        if samples:
            lines += [f"# HELP lo_storage_{name} {about}", f"# TYPE lo_storage_{name} gauge"]
        for labels, number in samples:
            pairs = ",".join(
                f'{key}="{_escaped(value)}"' for key, value in {**database, **labels}.items()
            )
            lines.append(f"lo_storage_{name}{{{pairs}}} {number}")
    return "".join(f"{line}\n" for line in lines)


def _metrics(figures: Figures) -> Iterator[Metric]:
    types = [*figures.types, figures.other_types._replace(name="other")]
    tables, fields, owners = figures.tables, figures.fields, figures.owners
    yield Metric("files", "Files in the catalogue.", [({}, figures.files)])
    yield Metric("file_bytes", "Bytes of these files, uncompressed.", [({}, figures.bytes)])
    yield Metric("missing_objects", "Files without their large object.", [({}, figures.missing)])
    yield Metric(
        "other_objects",
        "Large objects that the catalogue does not have.",
        [({}, figures.objects_of_others)],
    )
    yield Metric("objects_max", "Large objects that a database can number.", [({}, MOST_OBJECTS)])
    yield Metric(
        "table_bytes",
        "Bytes on disk of the tables that files are in, with indexes.",
        [({"table": table.name}, table.bytes) for table in tables],
    )
    yield Metric("table_bytes_max", "Bytes that a table can have.", [({}, MOST_BYTES)])
    yield Metric(
        "dead_bytes",
        "Bytes that VACUUM would make free, as PostgreSQL estimates.",
        [({"table": table.name}, table.dead_bytes) for table in tables],
    )
    yield Metric(
        "type_files",
        "Files of a suffix; of the rest, other.",
        [({"suffix": one.name}, one.files) for one in types],
    )
    yield Metric(
        "type_bytes",
        "Bytes of the files of a suffix; of the rest, other.",
        [({"suffix": one.name}, one.bytes) for one in types],
    )
    yield Metric(
        "field_rows", "Rows that name a file.", [({"field": one.name}, one.rows) for one in fields]
    )
    yield Metric(
        "field_files",
        "Files that rows of a field name.",
        [({"field": one.name}, one.files) for one in fields],
    )
    yield Metric(
        "field_bytes",
        "Bytes of the files that rows of a field name.",
        [({"field": one.name}, one.bytes) for one in fields],
    )
    yield Metric(
        "owner_files",
        "Files whose large object a role owns.",
        [({"role": one.name}, one.files) for one in owners],
    )
    yield Metric(
        "owner_bytes",
        "Bytes of the files whose large object a role owns.",
        [({"role": one.name}, one.bytes) for one in owners],
    )
    if staged := figures.staged:
        yield Metric("staged_uploads", "Uploads that no row has taken.", [({}, staged.uploads)])
        yield Metric("staged_bytes", "Bytes that have come of these.", [({}, staged.bytes)])
        yield Metric(
            "overdue_uploads", "Uploads past their date by two days.", [({}, staged.overdue)]
        )
    if unnamed := figures.unnamed:
        yield Metric(
            "unnamed_files",
            "Files older than a day that nothing in the database names.",
            [({}, unnamed.files)],
        )
        yield Metric("unnamed_bytes", "Bytes of these files.", [({}, unnamed.bytes)])
        yield Metric(
            "uncatalogued_objects",
            "Large objects that were ours and that the catalogue does not have.",
            [({}, unnamed.objects)],
        )
        yield Metric(
            "not_searched_columns",
            "Columns that may name files and could not be searched.",
            [({}, len(unnamed.not_searched))],
        )


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
