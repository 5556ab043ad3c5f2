from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from lo_storage.database import db_for_write
from lo_storage.uploads.removing import expire


class Command(BaseCommand):
    help = (
        "Delete the uploads whose date is past, and that no row has taken. Run it once a day; the"
        " site may run meanwhile, and what is being saved is left alone."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--database", help="the alias (PG_LO_STORAGE_DB_FOR_WRITE)")

    def handle(self, *args: Any, **options: Any) -> None:
        deleted = sum(len(batch) for batch in expire(db_for_write(options["database"])))
        self.stderr.write(f"Uploads deleted: {deleted}")
