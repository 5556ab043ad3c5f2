import json
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import Error, connections
from django.template.defaultfilters import filesizeformat
from django.utils import timezone

from lo_storage.database import db_for_write, is_supported
from lo_storage.management.progress import Progress
from lo_storage.statistics.figures import Figures, Sum, gather
from lo_storage.statistics.prometheus import exposition
from lo_storage.upkeep.columns import RowsElsewhere

COULD_NOT_LOOK, INTERRUPTED = 2, 130


class Command(BaseCommand):
    help = (
        "Print how many files there are, how large they are and what they take on disk: by month,"
        " type, field and owner, with the largest files, what nobody needs any more, and the space"
        " that VACUUM would make free. Nothing is changed. Exit status: 0; 2 if it could not be"
        " looked at; 130 if it was interrupted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--database",
            choices=tuple(connections),
            help="the alias (PG_LO_STORAGE_DB_FOR_WRITE)",
        )
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true", help="print one object of JSON")
        form.add_argument(
            "--prometheus",
            action="store_true",
            help="print metrics for Prometheus, as node_exporter's textfile collector reads them",
        )
        parser.add_argument(
            "--skip-unnamed",
            action="store_true",
            help="do not look for what nobody names, which reads each text of each table",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        alias = db_for_write(options["database"])
        if not is_supported(connections[alias]):
            raise CommandError(
                f"the database {alias!r} is not PostgreSQL with psycopg 3",
                returncode=COULD_NOT_LOOK,
            )
        try:
            with Progress(self.stderr._out, "Counting", 0):
                figures = gather(alias, not options["skip_unnamed"])
        except KeyboardInterrupt:
            raise CommandError("interrupted before its end", returncode=INTERRUPTED) from None
        except (RowsElsewhere, ImproperlyConfigured, Error) as error:
            raise CommandError(
                f"could not look: {str(error).strip()}", returncode=COULD_NOT_LOOK
            ) from error
        if options["json"]:
            self.stdout.write(as_json(figures))
        elif options["prometheus"]:
            self.stdout.write(exposition(figures), ending="")
        else:
            self.stdout.write("\n\n".join(as_text(figures)))


def as_json(figures: Figures) -> str:
    return json.dumps(_as_dict(figures), cls=DjangoJSONEncoder, ensure_ascii=False)


def _as_dict(value: Any) -> Any:
    """Return tuples with names as dictionaries, however deep."""
    if hasattr(value, "_asdict"):
        return {key: _as_dict(part) for key, part in value._asdict().items()}
    return [_as_dict(part) for part in value] if isinstance(value, list) else value


def as_text(figures: Figures) -> Iterable[str]:
    """Yield a paragraph for each kind of figure; what is empty is left out."""
    yield f"Files: {figures.files:,}, {_size(figures.bytes)}."
    yield _table(
        ["Table", "on disk", "dead rows", "free by VACUUM"],
        [
            (table.name, _size(table.bytes), f"~{table.dead_rows:,}", f"~{_size(table.dead_bytes)}")
            for table in figures.tables
        ],
    )
    types = [one._replace(name=one.name or "none") for one in figures.types]
    if figures.other_types.files:
        types.append(figures.other_types._replace(name="other"))
    months = [Sum(f"{one.month:%Y-%m}", one.files, one.bytes) for one in figures.months]
    for title, sums in [("Month", months), ("Type", types), ("Owner", figures.owners)]:
        if sums:
            yield _table(
                [title, "files", "size"],
                [(name, f"{files:,}", _size(size)) for name, files, size in sums],
            )
    if figures.fields:
        yield _table(
            ["Field", "rows", "files", "size"],
            [
                (one.name, f"{one.rows:,}", f"{one.files:,}", _size(one.bytes))
                for one in figures.fields
            ],
        )
    if figures.largest:
        yield _table(
            ["Largest", "size", "came", "original name"],
            [
                (
                    one.name,
                    _size(one.bytes),
                    f"{timezone.localtime(one.created_at):%Y-%m-%d}",
                    _plain(one.original_name),
                )
                for one in figures.largest
            ],
        )
    yield "\n".join(_wrong(figures))


def _wrong(figures: Figures) -> Iterable[str]:
    yield f"Files without their large object: {figures.missing:,}."
    yield f"Large objects that the catalogue does not have: {figures.objects_of_others:,}."
    if staged := figures.staged:
        yield f"Uploads that no row has taken: {staged.uploads:,}, {_size(staged.bytes)}."
        if staged.overdue:
            yield (
                f"Of these, past their date by two days: {staged.overdue:,}."
                " manage.py lo_expire deletes them."
            )
    if unnamed := figures.unnamed:
        yield f"Of these, objects that were ours: {unnamed.objects:,}."
        yield (
            "Files older than a day that nobody names:"
            f" {unnamed.files:,}, {_size(unnamed.bytes)}. manage.py lo_clean lists them."
        )
        yield from (f"Not searched: {column}" for column in unnamed.not_searched)
    yield from (f"Not looked at: {column}" for column in figures.not_looked_at)


def _table(head: list[str], rows: Iterable[Any]) -> str:
    """Return lines with columns, numbers to the right."""
    cells = [head, *(list(map(str, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    is_name = [position == 0 or head[position] == "original name" for position in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(row, widths, is_name, strict=True)
        ).rstrip()
        for row in cells
    )


def _plain(name: str) -> str:
    """Return a user's words without what a terminal would obey."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def _size(size: int) -> str:
    return filesizeformat(size).replace("\xa0", " ")
