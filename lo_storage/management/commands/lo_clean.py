from datetime import timedelta
from itertools import batched
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError
from django.utils import timezone

from lo_storage.columns import columns_elsewhere, unnamed
from lo_storage.database import db_for_write

# Each unlink holds a lock until the commit, and PostgreSQL's default lock table has 6,400.
BATCH = 1000


class Command(BaseCommand):
    help = (
        "List the catalogued files that no file column of an installed model names, and delete"
        " them with --delete. Files that only your own SQL knows are among them: look first."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--database", help="the alias (PG_LO_STORAGE_DB_FOR_WRITE)")
        parser.add_argument("--delete", action="store_true", help="delete what is listed")
        parser.add_argument(
            "--hours", type=float, default=24, help="leave files younger than this (24)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        alias = db_for_write(options["database"])
        if elsewhere := columns_elsewhere(alias):
            raise CommandError(
                f"the rows of {', '.join(elsewhere)} are not in the database {alias!r}, where their"
                " files are: which files no row names cannot be told, and nothing was deleted"
            )
        before = timezone.now() - timedelta(hours=options["hours"])
        found = unnamed(alias).filter(created_at__lt=before).order_by("loid")
        names = []
        for entry in found.iterator():
            names.append(entry.name)
            self.stdout.write(f"{entry.name}\t{entry.size}\t{entry.original_name}")
        if not options["delete"]:
            self.stderr.write(f"Files that no row names: {len(names)}. --delete deletes them.")
            return
        deleted = 0
        for batch in batched(names, BATCH):
            try:
                rows = unnamed(alias).filter(name__in=batch)
                deleted += rows._raw_delete(alias)
            except IntegrityError as error:
                raise CommandError(
                    f"{deleted} files deleted; of the next, a table that no installed model"
                    f" describes names at least one, and none of them was deleted: {error}"
                ) from error
        self.stderr.write(f"Files deleted: {deleted}")
