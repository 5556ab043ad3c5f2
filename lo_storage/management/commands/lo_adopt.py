from contextlib import nullcontext
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from lo_storage.database import db_for_write
from lo_storage.upkeep.adoption import adopt_all
from lo_storage.upkeep.columns import RowsElsewhere


class Command(BaseCommand):
    help = (
        "Catalogue the large objects that file columns already name, as pg-lo-storage left them,"
        " and make '' NULL where the column allows it. Nothing is copied. Run it before the"
        " migration that adds a LargeObjectReference; running it again does no harm. Exit status:"
        " 0, also where names were refused; 1 where the rows of a column are in another database"
        " than its files, and then nothing was changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--database", help="the alias (PG_LO_STORAGE_DB_FOR_WRITE)")
        parser.add_argument("--dry-run", action="store_true", help="say it, and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        alias = db_for_write(options["database"])
        adopted = refused = 0
        try:
            with transaction.atomic(using=alias) if options["dry_run"] else nullcontext():
                for column, name, refusal in adopt_all(alias):
                    if refusal is None:
                        adopted += 1
                    else:
                        refused += 1
                        self.stdout.write(f"{column} {name!r}: {refusal}")
                if options["dry_run"]:
                    transaction.set_rollback(True, using=alias)
        except RowsElsewhere as error:
            raise CommandError(f"{error}. Nothing was changed.") from error
        would_be = "that would be " if options["dry_run"] else ""
        self.stderr.write(f"Large objects {would_be}adopted: {adopted}. Names refused: {refused}.")
