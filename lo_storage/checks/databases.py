"""System checks of databases: that they can hold files, and for how long a transaction does."""

from collections.abc import Iterator
from typing import Any

from django.core import checks
from django.db import connections, router

from ..catalogue import TABLE
from ..database import db_for_read, db_for_write, is_supported
from ..upkeep.columns import columns_elsewhere, file_columns
from ..upkeep.server import MORE_FILES_THAN_LOCKS, PGLZ_FOR_LZ4


@checks.register(checks.Tags.files)
def check_databases(**kwargs: Any) -> list[checks.CheckMessage]:
    """E002, E003, W008: the databases that are named exist, and can hold the catalogue."""
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
                # No error: for tenants, a router's answer depends on the schema of the moment.
                checks.Warning(
                    f"A database router keeps the app 'lo_storage' out of the database {alias!r},"
                    " where files are to be kept.",
                    hint="Let its allow_migrate() return True for this app there, and run"
                    f" 'manage.py migrate --database {alias}'; or silence this check, if the"
                    " router says so for the schema of the moment only.",
                    id="lo_storage.W008",
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
def check_servers(databases: Any = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """W006 and I001: locks for the deletion of all files, compression by lz4; with `--database`."""
    messages: list[checks.CheckMessage] = []
    for alias in sorted(_written().intersection(databases or ())):
        connection = connections[alias]
        if not is_supported(connection):
            continue
        with connection.cursor() as cursor:
            if TABLE not in connection.introspection.table_names(cursor):
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
            cursor.execute(PGLZ_FOR_LZ4)
            for (statement,) in cursor.fetchall():
                messages.append(
                    checks.Info(
                        f"The database {alias!r} compresses files by pglz, and its server has lz4,"
                        " which writes them twice as fast.",
                        hint=f"Have the owner of the database say: {statement}",
                        id="lo_storage.I001",
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
