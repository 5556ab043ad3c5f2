"""What `lo_import` and `lo_export` share: which column, how it is told, and how it is ended."""

import json
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured
from django.core.files.storage import Storage
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, connections, models, router

from ..storage import DbFileStorage, db_file_storage
from ..transfer import moving
from ..transfer.moves import Move
from ..transfer.outcomes import Moved
from ..transfer.rows import Column
from ..transfer.sources import CannotBegin, Source, StoredFiles, source_of
from ..transfer.storages import storage_of
from ..upkeep.columns import RowsElsewhere
from ..upkeep.finding import Finding
from .progress import Progress

NOT_ALL, COULD_NOT_BEGIN, INTERRUPTED, NOBODY_READS = 1, 2, 130, 141

# Each is a connection to the database, too.
MAX_JOBS = 64


class TransferCommand(BaseCommand):
    """A command that moves files, and prints a line for each that it could not move."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "column", nargs="?", metavar="app.Model.field", help="the column that names the files"
        )
        parser.add_argument(
            "--from",
            metavar="STORAGE",
            help="where the files are that the column names: an alias of STORAGES, or a folder",
        )
        parser.add_argument("--from-field", metavar="FIELD", help="another column of the same rows")
        parser.add_argument(
            "--to",
            metavar="STORAGE",
            help="where the files go: an alias of STORAGES, or a folder",
        )
        parser.add_argument("--all", metavar="FOLDER", help="the files of all columns, as a BagIt")
        parser.add_argument(
            "--name-field", metavar="FIELD", help="the column with the original names, if one has"
        )
        parser.add_argument(
            "--delete-source",
            action="store_true",
            help="delete what was moved, verified and committed, where no row names it any more",
        )
        parser.add_argument(
            "--jobs", type=int, default=4, help="how many files are read or written at once (4)"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="look what is there, and change nothing"
        )
        parser.add_argument("--database", choices=tuple(connections), help="the alias of the rows")
        parser.add_argument(
            "--json", action="store_true", help="print an object of JSON for what was not moved"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.as_json, self.stop = options["json"], False
        self.moved = self.left = 0
        try:
            if not 1 <= options["jobs"] <= MAX_JOBS:
                raise CannotBegin(f"--jobs is a number from 1 to {MAX_JOBS}")
            if bool(options["all"]) == bool(options["column"]):
                raise CannotBegin("say which files: app.Model.field, or --all FOLDER")
            with self.until_interrupted():
                if options["all"]:
                    self.refuse(options, "from", "from_field", "to", "name_field", "delete_source")
                    self.move_all(options)
                else:
                    self.move(options)
        except BrokenPipeError:  # as of "| head"
            # Python would fail once more when it ends (its "Note on SIGPIPE").
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(NOBODY_READS) from None
        except (CannotBegin, RowsElsewhere, ImproperlyConfigured, Error) as error:
            words = " ".join(str(error).split())
            raise CommandError(f"{words}", returncode=COULD_NOT_BEGIN) from error
        would_be = "Would be moved" if options["dry_run"] else "Moved"
        summary = f"{would_be}: {self.moved:,}. Not moved: {self.left:,}."
        if self.stop:
            raise CommandError(
                f"{summary} Interrupted; run it again, and it goes on.", returncode=INTERRUPTED
            )
        if self.left:
            raise CommandError(summary, returncode=NOT_ALL)
        self.stderr.write(summary)

    def refuse(self, options: Any, *names: str) -> None:
        """Raise `CannotBegin` where options were given that say nothing here."""
        given = [f"--{name.replace('_', '-')}" for name in names if options[name]]
        if given:
            raise CannotBegin(f"{', '.join(given)} cannot be given here")

    def move(self, options: Any) -> None:
        """Move the files of a column."""
        column = column_of(options["column"], options["database"])
        source, target = self.ends(column, options)
        move = Move(
            column,
            source,
            target,
            options["name_field"],
            options["jobs"],
            options.get("adopt", False),
            options["delete_source"],
        )
        if options["name_field"]:
            field_of(column.model, options["name_field"])
        move.check(options["dry_run"])
        with Progress(self.stderr._out, column.label, move.rows().count()) as bar:
            self.tell(bar, moving.run(move, bar.add, options["dry_run"], lambda: self.stop))

    def source(self, column: Column, options: Any) -> Source | None:
        """Return where the files come from, if that was said."""
        if options["from"] and options["from_field"]:
            raise CannotBegin(
                "say where the files are: --from STORAGE, or --from-field FIELD, and not both"
            )
        if options["from"]:
            return StoredFiles(storage_of(options["from"], writing=False), column)
        if options["from_field"]:
            field = field_of(column.model, options["from_field"])
            if field == column.field:
                raise CannotBegin("--from-field is another column of the model")
            return source_of(Column(column.model, field, column.alias))
        return None

    def ends(self, column: Column, options: Any) -> tuple[Source, Storage]:
        """Return where the files come from, and the storage that gets them."""
        raise NotImplementedError

    def move_all(self, options: Any) -> None:
        """Move the files of all columns."""
        raise NotImplementedError

    def tell(self, bar: Progress, outcomes: Iterable[Moved | Finding]) -> None:
        """Count what was moved, and print what was not."""
        for outcome in outcomes:
            if isinstance(outcome, Moved):
                self.moved += 1
                continue
            self.left += 1
            bar.hide()
            self.stdout.write(
                json.dumps(outcome._asdict(), ensure_ascii=False) if self.as_json else str(outcome)
            )

    @contextmanager
    def until_interrupted(self) -> Iterator[None]:
        """Let Ctrl-C end the work after what was begun; a second one ends it at once."""

        def stop(number: int, frame: Any) -> None:
            self.stop = True
            signal.signal(signal.SIGINT, before)

        try:
            before = signal.signal(signal.SIGINT, stop)
        except ValueError:  # In a thread nobody presses it.
            yield
            return
        try:
            yield
        except KeyboardInterrupt:
            self.stop = True
        finally:
            signal.signal(signal.SIGINT, before)


def column_of(label: str, alias: str | None) -> Column:
    """Return the file column that "app.Model.field" names."""
    try:
        model_label, name = label.rsplit(".", 1)
        model = apps.get_model(model_label)
    except (ValueError, LookupError) as error:
        raise CannotBegin(
            f"{label!r} names no field of an installed model, as papers.Paper.data does"
        ) from error
    field = field_of(model, name)
    if not isinstance(field, models.FileField):
        raise CannotBegin(
            f"{label} is no FileField; with --from-field it can be where files come from"
        )
    return Column(field.model, field, alias or router.db_for_write(field.model))


def field_of(model: type[models.Model], name: str) -> Any:
    """Return a column of a model."""
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist as error:
        raise CannotBegin(f"{model._meta.label} has no field {name!r}") from error
    if not field.concrete:
        raise CannotBegin(f"{model._meta.label}.{name} is no column")
    return field


def library_of(column: Column) -> DbFileStorage:
    """Return the storage of the library that a column has, or would have."""
    ours = column.field.storage
    return ours if isinstance(ours, DbFileStorage) else db_file_storage
