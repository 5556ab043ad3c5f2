from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from django.apps import AppConfig
from django.db import connections, router
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.db.models.signals import pre_migrate
from django.utils.translation import gettext_lazy as _


class LoStorageConfig(AppConfig):
    name = "lo_storage"
    verbose_name = _("Large object storage")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, database_checks  # noqa: F401  # registers them

        pre_migrate.connect(migrate_where_migrations_are_off, sender=self)


def migrate_where_migrations_are_off(using: str, **kwargs: Any) -> None:
    """Run the library's migrations all the same: they make the triggers, which no model tells of.

    They are off by the setting MIGRATION_MODULES, and by pytest's --nomigrations.
    """
    package, _explicit = MigrationLoader.migrations_module("lo_storage")
    if package is not None or not router.allow_migrate(using, "lo_storage"):
        return
    connection = connections[using]
    if "lo_storage_largeobject" in connection.introspection.table_names():
        return
    ours = import_module("lo_storage.migrations")
    state = ProjectState()
    with connection.schema_editor() as editor:
        for name in sorted(module.name for module in iter_modules(ours.__path__)):
            migration = import_module(f"{ours.__name__}.{name}").Migration(name, "lo_storage")
            state = migration.apply(state, editor)
