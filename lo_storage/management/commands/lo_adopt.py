from contextlib import nullcontext
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.db.models import Count, Exists, OuterRef

from lo_storage import catalogue, names
from lo_storage.columns import columns_elsewhere, file_columns
from lo_storage.database import cursor, db_for_write, savepoint
from lo_storage.models import LargeObject


class Command(BaseCommand):
    help = (
        "Catalogue the large objects that file columns already name, as pg-lo-storage left them,"
        " and make '' NULL where the column allows it. Nothing is copied. Run it before the"
        " migration that adds a LargeObjectReference; running it again does no harm."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--database", help="the alias (PG_LO_STORAGE_DB_FOR_WRITE)")
        parser.add_argument("--dry-run", action="store_true", help="say it, and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        alias = db_for_write(options["database"])
        if elsewhere := columns_elsewhere(alias):
            raise CommandError(
                f"the rows of {', '.join(elsewhere)} are not in the database {alias!r}, where their"
                " files are; name the database of both by --database"
            )
        with transaction.atomic(using=alias) if options["dry_run"] else nullcontext():
            adopted, refused = self.adopt_all(alias)
            if options["dry_run"]:
                transaction.set_rollback(True, using=alias)
        would_be = "that would be " if options["dry_run"] else ""
        self.stderr.write(f"Large objects {would_be}adopted: {adopted}. Names refused: {refused}.")

    def adopt_all(self, alias: str) -> tuple[int, int]:
        """Return how many objects were adopted, and how many names refused."""
        entries = LargeObject.objects.using(alias)
        adopted = refused = 0
        for model, field in file_columns(alias):
            rows = model._base_manager.using(alias)
            if field.null:
                rows.filter(**{field.name: ""}).update(**{field.name: None})
            unknown = (
                rows.exclude(**{field.name: None})
                .exclude(**{field.name: ""})
                .filter(~Exists(entries.filter(name=OuterRef(field.name))))
            )
            # Of two spellings for one object that of more rows is adopted.
            spellings = unknown.values_list(field.name).annotate(rows=Count("*"))
            for name, _rows in spellings.order_by("-rows", field.name):
                reason = adopt(alias, name)
                if reason is None:
                    adopted += 1
                else:
                    refused += 1
                    self.stdout.write(f"{model._meta.label}.{field.name} {name!r}: {reason}")
        return adopted, refused


def adopt(alias: str, name: str) -> str | None:
    """Catalogue the object of a name, or return why that cannot be."""
    try:
        with savepoint(alias), cursor(alias) as c:
            if catalogue.adopt(c, name):
                return None
    except PermissionError:
        return "this role may not read the large object"
    loid = names.loid_of(name)
    if loid is None:
        return "is no name that the library gives"
    other = LargeObject.objects.using(alias).filter(loid=loid).first()
    if other is not None:
        return f"the large object is catalogued as {other.name!r}"
    return "there is no such large object"
