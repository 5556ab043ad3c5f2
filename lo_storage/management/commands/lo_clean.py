from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from lo_storage.database import db_for_write
from lo_storage.upkeep.cleaning import delete_unnamed, unnamed
from lo_storage.upkeep.columns import RowsElsewhere
from lo_storage.upkeep.naming import search


class Command(BaseCommand):
    help = (
        "List the catalogued files whose name stands in no text of any table of the database, and"
        " delete them with --delete. What cannot be searched is told: a bytea column, and what this"
        " role may not read. Exit status: 0, whatever was found; 1 where something cannot be"
        " searched and --delete was given without --force, where a file could not be deleted, and"
        " where the rows of a column are in another database than its files."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--database", help="the alias (PG_LO_STORAGE_DB_FOR_WRITE)")
        parser.add_argument("--delete", action="store_true", help="delete what is listed")
        parser.add_argument(
            "--force", action="store_true", help="delete it although something was not searched"
        )
        parser.add_argument(
            "--hours", type=float, default=24, help="leave files younger than this (24)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        alias = db_for_write(options["database"])
        before = timezone.now() - timedelta(hours=options["hours"])
        try:
            found = unnamed(alias, before)
        except RowsElsewhere as error:
            raise CommandError(f"{error}. Nothing was deleted.") from error
        for file in found:
            self.stdout.write(f"{file.name}\t{file.size}\t{file.original_name}")
        unsearchable = search(alias).unsearchable
        for column in unsearchable:
            self.stderr.write(f"Not searched: {column}")
        if not options["delete"]:
            self.stderr.write(f"Files that nobody names: {len(found)}. --delete deletes them.")
            return
        if unsearchable and not options["force"]:
            raise CommandError(
                "nothing was deleted, because what was not searched may name files; if it names"
                " none, give --force"
            )
        deleted, refused = 0, dict[str, str]()
        for deletion in delete_unnamed(alias, [file.name for file in found]):
            deleted += deletion.deleted
            refused |= deletion.refused
        for name, reason in refused.items():
            self.stderr.write(f"{name}: {reason}")
        self.stderr.write(f"Files deleted: {deleted}")
        if refused:
            raise CommandError(f"{len(refused)} of the files could not be deleted")
