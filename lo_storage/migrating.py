"""What migrations need: the project's come after the library's, which run where they are off."""

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Any

from django.apps import apps
from django.core.management import CommandError
from django.db import connections, router
from django.db.migrations import AddConstraint, CreateModel, SeparateDatabaseAndState
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from .catalogue import TABLE
from .constraints import LargeObjectReference


def referencing_migrations() -> Iterator[tuple[str, str]]:
    """Yield (app label, name) of each migration of a project that adds a `LargeObjectReference`."""
    for app in apps.get_app_configs():
        package, _explicit = MigrationLoader.migrations_module(app.label)
        if package is None or app.name == "lo_storage" or find_spec(package) is None:
            continue
        folder = import_module(package)
        if folder.__file__ is None or not hasattr(folder, "__path__"):
            continue
        # As MigrationLoader finds them: what it passes over may not even be importable.
        for module in iter_modules(folder.__path__):
            if module.ispkg or module.name[0] in "_~":
                continue
            migration = getattr(import_module(f"{package}.{module.name}"), "Migration", None)
            if migration is not None and any(map(_adds_reference, migration.operations)):
                yield app.label, module.name


def _adds_reference(operation: Any) -> bool:
    match operation:
        case AddConstraint():
            constraints = [operation.constraint]
        case CreateModel():
            constraints = operation.options.get("constraints", [])
        case SeparateDatabaseAndState():
            return any(map(_adds_reference, operation.database_operations))
        case _:
            constraints = []
    return any(isinstance(constraint, LargeObjectReference) for constraint in constraints)


def refuse_to_lose_files(using: str, plan: list[tuple[Any, bool]], **kwargs: Any) -> None:
    """Refuse to migrate to zero while there are files, before anything is touched.

    A receiver of `pre_migrate`. Django goes back one migration after the other, each a transaction:
    the tables that name the files would be gone when the library's first one refuses.
    """
    goes_back = any(
        backwards and (migration.app_label, migration.name) == ("lo_storage", "0001_initial")
        for migration, backwards in plan
    )
    if not goes_back:
        return
    connection = connections[using]
    if TABLE not in connection.introspection.table_names():
        return  # A router keeps the app out of this database, or nothing but the records is left.
    with connection.cursor() as cursor:
        cursor.execute(f"select exists (select from {TABLE})")
        (there_are_files,) = cursor.fetchone()
    if there_are_files:
        raise CommandError(
            f"there are files in {TABLE}, which would be out of reach; nothing was changed. Delete"
            " them, or move them elsewhere, before you migrate to zero."
        )


def migrate_where_migrations_are_off(using: str, **kwargs: Any) -> None:
    """Run the library's migrations where MIGRATION_MODULES, or pytest's --nomigrations, has none.

    A receiver of `pre_migrate`. Django then makes the tables of the models, and would make no
    trigger: no model tells of them.
    """
    package, _explicit = MigrationLoader.migrations_module("lo_storage")
    if package is not None or not router.allow_migrate(using, "lo_storage"):
        return
    connection = connections[using]
    if TABLE in connection.introspection.table_names():
        return
    ours = import_module("lo_storage.migrations")
    state = ProjectState()
    with connection.schema_editor() as editor:
        for name in sorted(module.name for module in iter_modules(ours.__path__)):
            migration = import_module(f"{ours.__name__}.{name}").Migration(name, "lo_storage")
            state = migration.apply(state, editor)
