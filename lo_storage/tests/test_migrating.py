from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.db import (
    DatabaseError,
    IntegrityError,
    NotSupportedError,
    connection,
)
from django.db.migrations.loader import MigrationLoader

from lo_storage.migrating import referencing_migrations

from .databases import added_alias, another_database, numbers
from .models import Document


def test_the_library_s_migration_runs_before_each_that_adds_one():
    for app_label, name in referencing_migrations():
        plan = MigrationLoader(None).graph.forwards_plan((app_label, name))
        assert ("lo_storage", "0001_initial") in plan


def test_only_what_django_takes_for_a_migration_is_imported(tmp_path, monkeypatch, settings):
    files = {
        "aaa/__init__.py": "",
        "aaa/migrations/__init__.py": "",
        "aaa/migrations/_helper.py": "raise ImportError",
        "aaa/migrations/later/__init__.py": "raise ImportError",
        "aaa/migrations/0001_initial.py": """
from django.db import migrations
from lo_storage.constraints import LargeObjectReference

class Migration(migrations.Migration):
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.AddConstraint("a", LargeObjectReference(field="data", name="a_data"))
            ]
        )
    ]
""",
        "bbb/__init__.py": "",
        "bbb/migrations.py": "",
        "ccc/__init__.py": "",
        "ccc/migrations/0001_initial.py": "raise ImportError",
    }
    for file, text in files.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    ours = set(referencing_migrations())
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "aaa", "bbb", "ccc"]
    assert set(referencing_migrations()) == ours | {("aaa", "0001_initial")}


@pytest.mark.django_db
def test_migrating_to_zero_is_refused_while_there_are_files(save):
    save()
    migration = import_module("lo_storage.migrations.0001_initial")
    with pytest.raises(DatabaseError, match="would be out of reach"), connection.cursor() as cursor:
        cursor.execute(migration.KEEP_FILES)


def test_migrating_another_database_is_refused_with_the_remedy():
    migration = import_module("lo_storage.migrations.0001_initial")
    sqlite = SimpleNamespace(connection=SimpleNamespace(alias="other", vendor="sqlite"))
    with pytest.raises(NotSupportedError, match="out of it by a database router"):
        migration.require_postgresql(None, sqlite)


def test_where_migrations_are_off(transactional_db, settings):
    """As by pytest's --nomigrations: the database enforces all the same, after a second run too."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "lo_storage.tests"]
    settings.MIGRATION_MODULES = {app.label: None for app in apps.get_app_configs()}
    with another_database() as database, added_alias("other", **database) as alias:
        settings.PG_LO_STORAGE_DB_FOR_READ = settings.PG_LO_STORAGE_DB_FOR_WRITE = alias
        for _ in range(2):
            call_command("migrate", run_syncdb=True, database=alias, verbosity=0)
        documents = Document.objects.using(alias)
        documents.create(data=ContentFile(b"march", "march.txt"))
        with pytest.raises(IntegrityError):
            documents.create(data="4294967295.txt")
        assert len(numbers(alias)) == 1
        documents.update(data=None)
        assert numbers(alias) == set()
