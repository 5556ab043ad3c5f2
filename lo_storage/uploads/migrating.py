"""The triggers, where MIGRATION_MODULES, or pytest's --nomigrations, has none to make them."""

from importlib import import_module
from typing import Any

from django.db import connections
from django.db.migrations.loader import MigrationLoader

from .models import Upload

ARE_MISSING = """
    select from pg_class
     where oid = to_regclass(%s)
       and not exists (select from pg_trigger where tgrelid = pg_class.oid and not tgisinternal)
"""


def make_triggers_where_migrations_are_off(using: str, **kwargs: Any) -> None:
    """Make them for a table that Django has made of the model. A receiver of `post_migrate`."""
    package, _explicit = MigrationLoader.migrations_module(Upload._meta.app_label)
    if package is not None or connections[using].vendor != "postgresql":
        return
    with connections[using].cursor() as cursor:
        cursor.execute(ARE_MISSING, [Upload._meta.db_table])
        if cursor.fetchone() is not None:
            cursor.execute(import_module("lo_storage.uploads.migrations.0001_initial").UNLINK)
