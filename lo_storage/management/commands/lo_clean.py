from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError
from django.utils import timezone

from lo_storage.database import db_for_write
from lo_storage.upkeep.cleaning import delete_unnamed, unnamed
from lo_storage.upkeep.columns import RowsElsewhere


class Command(BaseCommand):
    help = (
        "List the catalogued files that no file column of an installed model names, and delete"
        " them with --delete. Files that only your own SQL knows are among them: look first. Exit"
        " status: 0, whatever was found; 1 where the rows of a column are in another database than"
        " its files, or where a table that no installed model describes names a file."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--database", help="the alias (PG_LO_STORAGE_DB_FOR_WRITE)")
        parser.add_argument("--delete", action="store_true", help="delete what is listed")
        parser.add_argument(
            "--hours", type=float, default=24, help="leave files younger than this (24)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        alias = db_for_write(options["database"])
        before = timezone.now() - timedelta(hours=options["hours"])
        try:
            found = unnamed(alias, before).order_by("loid")
        except RowsElsewhere as error:
            raise CommandError(f"{error}. Nothing was deleted.") from error
        names = []
        for file in found.iterator():
            names.append(file.name)
            self.stdout.write(f"{file.name}\t{file.size}\t{file.original_name}")
        if not options["delete"]:
            self.stderr.write(f"Files that no row names: {len(names)}. --delete deletes them.")
            return
        deleted = 0
        try:
            for number in delete_unnamed(alias, names):
                deleted += number
        except IntegrityError as error:
            raise CommandError(
                f"{deleted} files deleted; of the next, a table that no installed model"
                f" describes names at least one, and none of them was deleted: {error}"
            ) from error
        self.stderr.write(f"Files deleted: {deleted}")
