"""System checks: what a newcomer gets wrong, found before a file is at stake."""

from typing import Any

from django.apps import apps
from django.core import checks
from django.db import connections

from .columns import columns_elsewhere
from .constraints import LargeObjectReference
from .database import db_for_read, db_for_write, is_supported
from .fields import DbFileField, DbImageField


@checks.register(checks.Tags.files)
def check_databases(**kwargs: Any) -> list[checks.CheckMessage]:
    """E002, E003: the databases of the settings exist and are PostgreSQL with psycopg 3."""
    messages: list[checks.CheckMessage] = []
    for alias in sorted({db_for_read(), db_for_write()}):
        if alias not in connections:
            messages.append(
                checks.Error(
                    f"PG_LO_STORAGE_DB_FOR_READ or _WRITE names the database {alias!r}, which is"
                    " not in DATABASES.",
                    hint=f"Use one of: {', '.join(connections)}.",
                    id="lo_storage.E002",
                )
            )
        elif not is_supported(connections[alias]):
            messages.append(
                checks.Error(
                    f"The database {alias!r} is not PostgreSQL with psycopg 3.",
                    hint="Set its ENGINE to 'django.db.backends.postgresql' and install psycopg,"
                    " not psycopg2; or name another by PG_LO_STORAGE_DB_FOR_READ and _WRITE.",
                    id="lo_storage.E003",
                )
            )
    return messages


@checks.register(checks.Tags.models)
def check_references(**kwargs: Any) -> list[checks.CheckMessage]:
    """E004 to E006: a LargeObjectReference is on a field that can keep its promise."""
    messages: list[checks.CheckMessage] = []
    for model in apps.get_models():
        for constraint in model._meta.constraints:
            if not isinstance(constraint, LargeObjectReference):
                continue
            field = {field.name: field for field in model._meta.fields}.get(constraint.field)
            if not isinstance(field, DbFileField | DbImageField):
                messages.append(
                    checks.Error(
                        f"{constraint!r} needs a DbFileField or DbImageField.",
                        hint="Django's FileField stores '' for no file, which the foreign key"
                        f" refuses. Make {constraint.field!r} a DbFileField.",
                        obj=model,
                        id="lo_storage.E004",
                    )
                )
            elif field.model is not model and not _has_reference(field):
                messages.append(
                    checks.Error(
                        f"The column of {constraint!r} is in the table of"
                        f" {field.model._meta.label}, so it makes nothing.",
                        hint=f"Move the constraint to {field.model._meta.label}.",
                        obj=model,
                        id="lo_storage.E006",
                    )
                )
            elif field.blank and not field.null:
                messages.append(
                    checks.Error(
                        f"{constraint.field!r} may be blank but not NULL, and the foreign key of"
                        f" {constraint!r} refuses ''.",
                        hint="Set null=True, or blank=False.",
                        obj=model,
                        id="lo_storage.E005",
                    )
                )
    return messages


@checks.register(checks.Tags.models)
def check_one_transaction(**kwargs: Any) -> list[checks.CheckMessage]:
    """W001: rows and their files are in one database, which one transaction can hold."""
    return [
        checks.Warning(
            f"The rows of {column} are in another database than their files in {alias!r}: no"
            " transaction holds both.",
            hint="Give the field's DbFileStorage the alias of the model's database.",
            id="lo_storage.W001",
        )
        for alias in connections
        for column in columns_elsewhere(alias)
    ]


def _has_reference(field: Any) -> bool:
    return any(
        isinstance(constraint, LargeObjectReference) and constraint.field == field.name
        for constraint in field.model._meta.constraints
    )
