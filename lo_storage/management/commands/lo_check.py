import json
import os
import random
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable
from datetime import datetime, time
from functools import partial
from itertools import chain
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, connections
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from lo_storage.database import db_for_write, is_supported
from lo_storage.management.progress import Progress
from lo_storage.upkeep.columns import RowsElsewhere
from lo_storage.upkeep.finding import Finding
from lo_storage.upkeep.objects import check_files, check_objects, parts
from lo_storage.upkeep.references import check_catalogue, check_references, check_undeclared
from lo_storage.upkeep.rows import Naming, check_rows, naming_columns
from lo_storage.upkeep.server import check_server
from lo_storage.upkeep.staged import check_staged
from lo_storage.upkeep.verifying import Selection, size_of, verify

WRONG, COULD_NOT_LOOK, INTERRUPTED, NOBODY_READS = 1, 2, 130, 141

# Each is a connection, of which a server has a hundred by default.
MAX_JOBS = 64


class Command(BaseCommand):
    help = (
        "Prove that no row is without its file and no file without its row: compare rows,"
        " catalogue, large objects, references and the server's settings, and with --verify the"
        " content of the files with its SHA-256. Nothing is changed. One line is printed for each"
        " finding: what, where, and what mends it. Exit status: 0 if nothing is wrong, warnings"
        " aside; 1 if something is; 2 if something could not be looked at, and nothing else is"
        " wrong; 130 if it was interrupted."
    )
    requires_system_checks = []  # It is run when something is wrong.

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--database",
            choices=tuple(connections),
            help="the alias (PG_LO_STORAGE_DB_FOR_WRITE)",
        )
        parser.add_argument(
            "--json", action="store_true", help="print an object of JSON for each finding"
        )
        parser.add_argument(
            "--fail-level",
            choices=("ERROR", "WARNING"),
            default="ERROR",
            help="what makes the exit status 1 (ERROR)",
        )
        parser.add_argument(
            "--jobs", type=_jobs, default=2, help="how many connections look at once (2)"
        )
        parser.add_argument("--verify", action="store_true", help="read each file, too")
        parser.add_argument(
            "--since",
            type=_time,
            help="with --verify, only files written since: 2026-11-01, or 2026-11-01T08:00",
        )
        parser.add_argument(
            "--sample",
            type=_share,
            default=1.0,
            metavar="PERCENT",
            help="with --verify, only so many of the files, at random: 5, or 5%%",
        )
        parser.add_argument(
            "--record",
            action="store_true",
            help="with --verify, write the SHA-256 into the catalogue where it is unknown",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        alias = db_for_write(options["database"])
        if not options["verify"] and (
            options["since"] or options["record"] or options["sample"] != 1.0
        ):
            raise CommandError(
                "--since, --sample and --record are about --verify: give that, too",
                returncode=COULD_NOT_LOOK,
            )
        if not is_supported(connections[alias]):
            raise CommandError(
                f"the database {alias!r} is not PostgreSQL with psycopg 3",
                returncode=COULD_NOT_LOOK,
            )
        self.as_json = options["json"]
        self.found = dict.fromkeys(("error", "warning", "unknown"), 0)
        try:
            files = self.look(alias, options)
        except KeyboardInterrupt:
            raise CommandError("interrupted before its end", returncode=INTERRUPTED) from None
        except BrokenPipeError:  # as of "| head"
            # Python would fail once more when it ends (its "Note on SIGPIPE").
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(NOBODY_READS) from None
        except (RowsElsewhere, ImproperlyConfigured, Error) as error:
            raise CommandError(
                f"could not look: {str(error).strip()}", returncode=COULD_NOT_LOOK
            ) from error
        summary = (
            f"Files: {files:,}. Errors: {self.found['error']:,}. Warnings:"
            f" {self.found['warning']:,}. Not looked at: {self.found['unknown']:,}."
        )
        if self.found["error"] or (options["fail_level"] == "WARNING" and self.found["warning"]):
            raise CommandError(summary, returncode=WRONG)
        if self.found["unknown"]:
            raise CommandError(summary, returncode=COULD_NOT_LOOK)
        self.stderr.write(summary)

    def look(self, alias: str, options: Any) -> int:
        """Print what is found, and return how many files there are."""
        self.tell("Server", lambda bar: check_server(alias))
        self.tell("Uploads", lambda bar: check_staged(alias))
        self.tell("Catalogue", lambda bar: check_catalogue(alias))
        self.tell("References", lambda bar: chain(check_references(alias), check_undeclared(alias)))
        columns = naming_columns(alias)
        naming = [column for column in columns if isinstance(column, Naming)]
        self.tell("Columns", lambda bar: [one for one in columns if isinstance(one, Finding)])
        for column in naming:
            self.tell(f"Rows of {column.label}", partial(_rows, alias, column))
        self.tell("Large objects", lambda bar: check_objects(alias, naming))
        of_files = parts(alias)
        files = sum(part.files for part in of_files)
        jobs = options["jobs"]
        self.tell("Files", lambda bar: check_files(alias, of_files, jobs, bar.add), files)
        if options["verify"]:
            selection = Selection(
                options["since"], options["sample"], random.getrandbits(62), options["record"]
            )
            self.tell(
                "Contents",
                lambda bar: verify(alias, selection, jobs, bar.add),
                size_of(alias, selection),
                filesizeformat,
            )
        return files

    def tell(
        self,
        label: str,
        look: Callable[[Progress], Iterable[Finding]],
        total: int = 0,
        shown: Callable[[float], str] = "{:,.0f}".format,
    ) -> None:
        """Print what `look` finds, one line each, and how far it is."""
        with Progress(self.stderr._out, label, total, shown) as bar:
            for finding in look(bar):
                self.found[finding.level] += 1
                bar.hide()
                self.stdout.write(
                    json.dumps(finding._asdict(), ensure_ascii=False)
                    if self.as_json
                    else str(finding)
                )


def _rows(alias: str, column: Naming, bar: Progress) -> Iterable[Finding]:
    return check_rows(alias, column)


def _jobs(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_JOBS:
        raise ArgumentTypeError(f"a number from 1 to {MAX_JOBS}, and {text!r} is none")
    return int(text)


def _time(text: str) -> datetime:
    try:
        day = parse_date(text)
        given = datetime.combine(day, time()) if day else parse_datetime(text)
    except ValueError:
        given = None
    if given is None:
        raise ArgumentTypeError(f"a day or a time, as 2026-11-01T08:00, and {text!r} is none")
    return timezone.make_aware(given) if timezone.is_naive(given) else given


def _share(text: str) -> float:
    try:
        percent = float(text.removesuffix("%"))
    except ValueError:
        percent = 0.0
    if not 0 < percent <= 100:
        raise ArgumentTypeError(f"more than 0 and at most 100 percent, and {text!r} is not")
    return percent / 100
