from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, connections

from lo_storage.database import db_for_write
from lo_storage.upkeep.columns import RowsElsewhere
from lo_storage.upkeep.mending import (
    mend_files,
    mend_objects,
    mend_owners,
    mend_references,
    mend_rows,
)

MENDS: dict[str, Any] = {
    "rows": mend_rows,
    "files": mend_files,
    "objects": mend_objects,
    "owners": mend_owners,
    "references": mend_references,
}


class Command(BaseCommand):
    help = (
        "Mend what lo_check finds, one kind at a time; without --apply say what would be done, and"
        " change nothing. What can be brought back from a backup comes first: rows and files let go"
        " of what is lost. Exit status: 0; 1 where something was refused; 2 where nothing could be"
        " looked at."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "kind",
            choices=list(MENDS),
            help="rows: those that name what is lost name nothing;"
            " files: those without their large object are deleted, and rows name nothing;"
            " objects: those that were ours are catalogued, so that lo_clean lists them;"
            " owners: large objects are given to this role, or to --owner;"
            " references: foreign keys, indexes and triggers are put back",
        )
        parser.add_argument("--apply", action="store_true", help="do it")
        parser.add_argument(
            "--database",
            choices=tuple(connections),
            help="the alias (PG_LO_STORAGE_DB_FOR_WRITE)",
        )
        parser.add_argument("--owner", help="of owners: the role that serves and deletes files")

    def handle(self, *args: Any, **options: Any) -> None:
        alias, kind, apply = db_for_write(options["database"]), options["kind"], options["apply"]
        if options["owner"] and kind != "owners":
            raise CommandError("--owner is about owners", returncode=2)
        given = {"owner": options["owner"]} if kind == "owners" else {}
        mended = refused = 0
        try:
            for where, what, refusal in MENDS[kind](alias, apply, **given):
                if refusal is None:
                    mended += 1
                    self.stdout.write(f"{where}: {what}")
                else:
                    refused += 1
                    self.stdout.write(f"{where}: refused: {refusal}")
        except (RowsElsewhere, ImproperlyConfigured, Error) as error:
            raise CommandError(f"could not look: {str(error).strip()}", returncode=2) from error
        if refused:
            raise CommandError(f"Mended: {mended:,}. Refused: {refused:,}.")
        if apply:
            self.stderr.write(f"Mended: {mended:,}.")
        else:
            self.stderr.write(f"Would be mended: {mended:,}. --apply does it.")
