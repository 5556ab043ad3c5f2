"""System checks: what a newcomer gets wrong, found before a file is at stake.

E001, that the app is not installed, is a check of the fields: these here would not be registered.
"""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.db import connections, router
from django.urls import get_script_prefix

from .columns import columns_elsewhere, file_columns
from .constraints import LargeObjectReference
from .database import db_for_read, db_for_write, is_supported
from .fields import DbFileField, DbImageField
from .names import MAX_LENGTH
from .storage import DbFileStorage

# How many objects one transaction may lock at once, and whether there are more files than that.
# (PostgreSQL, "Lock Management": what max_locks_per_transaction is a factor of.)
MORE_FILES_THAN_LOCKS = """
    with room(locks) as (
        select current_setting('max_locks_per_transaction')::int
               * (current_setting('max_connections')::int
                  + current_setting('max_prepared_transactions')::int)
    )
    select locks from room
     where locks < (
        select count(*) from (select from lo_storage_largeobject limit (select locks + 1 from room))
               as files
     )
"""


@checks.register(checks.Tags.files)
def check_databases(**kwargs: Any) -> list[checks.CheckMessage]:
    """E002, E003, E007: the databases that are named exist, and can hold the catalogue."""
    messages: list[checks.CheckMessage] = []
    named: dict[str, list[str]] = {}
    for who, alias in _named_databases():
        named.setdefault(alias, []).append(who)
    for alias, by in sorted(named.items()):
        if alias not in connections:
            messages.append(
                checks.Error(
                    f"{', '.join(by)} names the database {alias!r}, which is not in DATABASES.",
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
        elif alias in _written() and not router.allow_migrate(
            alias, "lo_storage", model_name="largeobject"
        ):
            messages.append(
                checks.Error(
                    f"A database router keeps the app 'lo_storage' out of the database {alias!r},"
                    " where files are to be kept.",
                    hint="Let its allow_migrate() return True for both, and run"
                    f" 'manage.py migrate --database {alias}'.",
                    id="lo_storage.E007",
                )
            )
    return messages


@checks.register(checks.Tags.models)
def check_references(**kwargs: Any) -> list[checks.CheckMessage]:
    """E004 to E006, E008: a LargeObjectReference is on a field that can keep its promise."""
    messages: list[checks.CheckMessage] = []
    for model in apps.get_models():
        for constraint in model._meta.constraints:
            if isinstance(constraint, LargeObjectReference) and (
                found := _check_reference(model, constraint)
            ):
                id, message, hint = found
                messages.append(checks.Error(message, hint=hint, obj=model, id=id))
    return messages


def _check_reference(model: Any, constraint: LargeObjectReference) -> tuple[str, str, str] | None:
    fields = {field.name: field for field in model._meta.fields}
    field = fields.get(constraint.field)
    if field is None:
        return (
            "lo_storage.E004",
            f"{constraint!r} names a field that the model does not have.",
            f"Use one of: {', '.join(fields)}.",
        )
    if not isinstance(field, DbFileField | DbImageField):
        return (
            "lo_storage.E004",
            f"{constraint!r} needs a DbFileField or DbImageField.",
            "Django's FileField stores '' for no file, which the foreign key refuses. Make"
            f" {constraint.field!r} a DbFileField.",
        )
    if field.model is not model and not _has_reference(field):
        return (
            "lo_storage.E006",
            f"The column of {constraint!r} is in the table of {field.model._meta.label}, so it"
            " makes nothing.",
            f"Move the constraint to {field.model._meta.label}.",
        )
    if field.blank and not field.null:
        return (
            "lo_storage.E005",
            f"{constraint.field!r} may be blank but not NULL, and the foreign key of"
            f" {constraint!r} refuses ''.",
            "Set null=True, or blank=False.",
        )
    if not isinstance(field.storage, DbFileStorage):
        return (
            "lo_storage.E008",
            f"The storage of {constraint.field!r} keeps its files elsewhere, and {constraint!r}"
            " refuses each name that the catalogue does not have.",
            "Give the field a DbFileStorage, or leave out the constraint.",
        )
    return None


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


@checks.register(checks.Tags.models)
def check_columns(**kwargs: Any) -> list[checks.CheckMessage]:
    """W002, W003, W005: a file column has an address, room for a name, and a reference."""
    return [
        checks.Warning(message, hint=hint, obj=field, id=id)
        for _model, field in file_columns()
        for id, message, hint in _check_column(field)
    ]


def _check_column(field: Any) -> Iterator[tuple[str, str, str]]:
    if field.storage._base_url is None and get_script_prefix() == settings.MEDIA_URL:
        yield (
            "lo_storage.W002",
            f"MEDIA_URL is not set, so the url of a file is '{field.storage.url('16418.pdf')}'.",
            "Give the field the address of a view that calls db_serve, as in"
            f" storage=DbFileStorage('/{field.name}'), or set MEDIA_URL.",
        )
    if field.max_length is not None and field.max_length < MAX_LENGTH:
        yield (
            "lo_storage.W003",
            f"The column has room for {field.max_length} characters, and the name of a file may"
            f" take {MAX_LENGTH}: saving one with a longer suffix will be refused.",
            "Leave out max_length.",
        )
    if not _has_reference(field):
        yield (
            "lo_storage.W005",
            "Nothing in the database ties these files to their rows: those that a row lets go of"
            " stay, and one that a row names can be deleted.",
            "Add a LargeObjectReference to the model's constraints."
            if isinstance(field, DbFileField | DbImageField)
            else "Make it a DbFileField, with a LargeObjectReference in the model's constraints.",
        )


@checks.register(checks.Tags.files)
def check_requests(**kwargs: Any) -> list[checks.CheckMessage]:
    """W004: no request is one transaction for as long as an upload may take."""
    return [
        checks.Warning(
            f"ATOMIC_REQUESTS is on for the database {alias!r}, which keeps files: a large upload"
            " is a long transaction, and Django bounds no upload's size.",
            hint="Bound it in the web server and silence this check; or save in"
            " transaction.atomic(), in a view with @transaction.non_atomic_requests.",
            id="lo_storage.W004",
        )
        for alias in sorted(_written().intersection(connections))
        if connections[alias].settings_dict["ATOMIC_REQUESTS"]
    ]


@checks.register(checks.Tags.database)
def check_locks(databases: Any = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """W006: there are locks for the deletion of all files at once; with `--database`."""
    messages: list[checks.CheckMessage] = []
    for alias in sorted(_written().intersection(databases or ())):
        connection = connections[alias]
        if not is_supported(connection):
            continue
        with connection.cursor() as cursor:
            if "lo_storage_largeobject" not in connection.introspection.table_names(cursor):
                continue  # It is about to be migrated.
            cursor.execute(MORE_FILES_THAN_LOCKS)
            for (locks,) in cursor.fetchall():
                messages.append(
                    checks.Warning(
                        f"There are more files in the database {alias!r} than locks: one"
                        f" transaction can delete about {locks:,}.",
                        hint="Raise the server's max_locks_per_transaction, or delete in batches.",
                        id="lo_storage.W006",
                    )
                )
    return messages


def _named_databases() -> Iterator[tuple[str, str]]:
    yield "PG_LO_STORAGE_DB_FOR_READ", db_for_read()
    yield "PG_LO_STORAGE_DB_FOR_WRITE", db_for_write()
    for model, field in file_columns():
        if field.storage.alias is not None:
            yield f"{model._meta.label}.{field.name}", field.storage.alias


def _written() -> set[str]:
    """Return the aliases of the databases that files of the installed models are saved in."""
    return {db_for_write(field.storage.alias) for _model, field in file_columns()}


def _has_reference(field: Any) -> bool:
    return any(
        isinstance(constraint, LargeObjectReference) and constraint.field == field.name
        for constraint in field.model._meta.constraints
    )
