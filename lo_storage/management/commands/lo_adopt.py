from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db.models import Exists, OuterRef

from lo_storage import catalogue
from lo_storage.columns import file_columns
from lo_storage.database import cursor, db_for_write
from lo_storage.models import LargeObject


class Command(BaseCommand):
    help = (
        "Catalogue the large objects that file columns already name, as pg-lo-storage left them,"
        " and make '' NULL where the column allows it. Nothing is copied. Run it before the"
        " migration that adds a LargeObjectReference; running it again does no harm."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--database", help="the alias (PG_LO_STORAGE_DB_FOR_WRITE)")

    def handle(self, *args: Any, **options: Any) -> None:
        alias = db_for_write(options["database"])
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
            for name in unknown.values_list(field.name, flat=True).distinct():
                with cursor(alias) as c:
                    is_adopted = catalogue.adopt(c, name)
                if is_adopted:
                    adopted += 1
                    continue
                refused += 1
                loid = catalogue.loid_of(name)
                other = entries.filter(loid=loid).first() if loid else None
                reason = (
                    "is no name that the library gives"
                    if loid is None
                    else f"the large object is catalogued as {other.name!r}"
                    if other
                    else "there is no such large object"
                )
                self.stdout.write(f"{model._meta.label}.{field.name} {name!r}: {reason}")
        self.stderr.write(f"{adopted} large objects adopted, {refused} names refused")
