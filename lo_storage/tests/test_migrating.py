from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, NotSupportedError, connection, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from lo_storage.catalogue import TABLE
from lo_storage.migrating import referencing_migrations
from lo_storage.storage import db_file_storage

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


@pytest.fixture
def other(transactional_db, settings):
    """Another database, migrated, to which the settings send files."""
    with another_database() as database, added_alias("other", **database) as alias:
        settings.PG_LO_STORAGE_DB_FOR_READ = settings.PG_LO_STORAGE_DB_FOR_WRITE = alias
        call_command("migrate", "lo_storage", database=alias, verbosity=0)
        yield alias


def test_migrating_to_zero_is_refused_before_anything_is_touched(other, monkeypatch):
    with connections[other].schema_editor() as editor:
        editor.create_model(Document)
    Document.objects.using(other).create(data=ContentFile(b"march", "march.txt"))
    with pytest.raises(CommandError, match="nothing was changed"):
        call_command("migrate", "lo_storage", "zero", database=other, verbosity=0)
    recorder = MigrationRecorder(connections[other])
    assert {name for app, name in recorder.applied_migrations() if app == "lo_storage"} == {
        "0001_initial",
        "0002_one_rule_for_all_tables",
        "0003_nothing_of_a_stranger",
        "0004_newest_first_and_words",
    }
    Document.objects.using(other).all().delete()
    assert numbers(other) == set()


SHELF = {
    "__init__.py": "",
    "migrations/__init__.py": "",
    "migrations/0001_initial.py": """
from django.db import migrations, models
from lo_storage.constraints import LargeObjectReference

class Migration(migrations.Migration):
    dependencies = {dependencies}
    operations = [
        migrations.CreateModel(
            "Paper",
            fields=[
                ("id", models.BigAutoField(primary_key=True)),
                ("data", models.FileField(null=True)),
            ],
            options={{"constraints": {constraints}}},
        ),
    ]
""",
}
LATER = """
from django.db import migrations
from lo_storage.constraints import LargeObjectReference

class Migration(migrations.Migration):
    dependencies = [("lo_storage", "0001_initial"), ("{app}", "0001_initial")]
    operations = [
        migrations.AddConstraint("paper", LargeObjectReference(field="data", name="{app}_data"))
    ]
"""


@pytest.fixture(params=["at once", "later"])
def shelf(request, tmp_path, monkeypatch, settings):
    """An app whose migrations add a reference, with the table or by a migration of its own."""
    app = f"shelf_{request.param.replace(' ', '_')}"
    files, names = dict(SHELF), ["0001_initial"]
    if request.param == "later":
        files["migrations/0002_reference.py"] = LATER.format(app=app)
        names.append("0002_reference")
        dependencies, constraints = "[]", "[]"
    else:
        dependencies = '[("lo_storage", "0001_initial")]'
        constraints = f'[LargeObjectReference(field="data", name="{app}_data")]'
    for file, text in files.items():
        (tmp_path / app / file).parent.mkdir(parents=True, exist_ok=True)
        if file == "migrations/0001_initial.py":
            text = text.format(dependencies=dependencies, constraints=constraints)
        (tmp_path / app / file).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, app]
    return app, names


def test_migrating_to_zero_leaves_the_rows_of_an_app_that_names_files(other, shelf):
    """Its migrations come first in that plan: its table, or its trigger, would be gone."""
    app, names = shelf
    call_command("migrate", app, database=other, verbosity=0)
    name = db_file_storage.save("march.txt", ContentFile(b"march"))

    def state():
        applied = MigrationRecorder(connections[other]).applied_migrations()
        with connections[other].cursor() as cursor:
            cursor.execute(f"select data from {app}_paper")
            rows = cursor.fetchall()
            cursor.execute("select tgname from pg_trigger where tgname like %s", [f"{app}%"])
            return {name for label, name in applied if label == app}, rows, cursor.fetchall()

    with connections[other].cursor() as cursor:
        cursor.execute(f"insert into {app}_paper (data) values (%s)", [name])
        with pytest.raises(CommandError, match="nothing was changed"):
            call_command("migrate", "lo_storage", "zero", database=other, verbosity=0)
        assert state() == (set(names), [(name,)], [(f"{app}_data_release",)])
        cursor.execute(f"update {app}_paper set data = null")
        assert numbers(other) == set()
        call_command("migrate", "lo_storage", "zero", database=other, verbosity=0)
    tables = connections[other].introspection.table_names()
    assert (f"{app}_paper" in tables, TABLE in tables) == (len(names) == 2, False)


class KeepsOut:
    """A router that keeps the library out of a database."""

    def allow_migrate(self, db, app_label, **hints):
        return app_label != "lo_storage"


def test_migrating_to_zero_where_a_router_keeps_the_app_out(transactional_db, settings):
    settings.DATABASE_ROUTERS = [KeepsOut()]
    with another_database() as database, added_alias("other", **database) as alias:
        for target in ([], ["zero"]):
            call_command("migrate", "lo_storage", *target, database=alias, verbosity=0)
        assert TABLE not in connections[alias].introspection.table_names()


def test_migrating_to_zero_is_refused_by_files_whatever_a_router_says(other, settings):
    """The other apps of the plan may be let in: their rows name the files."""
    db_file_storage.save("march.txt", ContentFile(b"march"))
    settings.DATABASE_ROUTERS = [KeepsOut()]
    with pytest.raises(CommandError, match="nothing was changed"):
        call_command("migrate", "lo_storage", "zero", database=other, verbosity=0)
    assert len(numbers(other)) == 1


def test_forgetting_the_migrations_of_a_table_that_is_not_there(other):
    with connections[other].cursor() as cursor:
        cursor.execute(f"drop table {TABLE}")
    call_command("migrate", "lo_storage", "zero", fake=True, database=other, verbosity=0)
    applied = MigrationRecorder(connections[other]).applied_migrations()
    assert not [name for app, name in applied if app == "lo_storage"]


def test_references_of_version_1_are_moved_and_moved_back(other):
    def functions():
        with connections[other].cursor() as cursor:
            cursor.execute(
                "select tgname, tgfoid::regproc::text from pg_trigger"
                " where tgname like 'lo\\_storage\\_tests%'"
            )
            return dict(cursor.fetchall())

    def statement(sql):
        with connections[other].cursor() as cursor:
            cursor.execute(sql)

    documents = Document.objects.using(other)
    with connections[other].schema_editor() as editor:
        editor.create_model(Document)
    own = functions()
    assert len(own) == 2
    assert {name: name for name in own} == own
    call_command("migrate", "lo_storage", "0001", database=other, verbosity=0)
    assert functions() == dict.fromkeys(own, "lo_storage_release_v1")
    documents.create(data=ContentFile(b"march", "march.txt"))
    statement('alter table lo_storage_tests_document rename column scan to "a scan"')
    for _ in range(2):
        call_command("migrate", "lo_storage", database=other, verbosity=0)
    assert functions() == own
    assert len(numbers(other)) == 1
    documents.update(data=None)
    assert numbers(other) == set()
    statement('alter table lo_storage_tests_document rename column "a scan" to scan')
    documents.create(scan=ContentFile(b"march", "march.txt"))
    documents.update(title="x")
    assert len(numbers(other)) == 1
    documents.all().delete()
    assert numbers(other) == set()


def test_an_engine_with_a_table_of_numbers_of_its_own(other):
    """As lolor has it: what is unlinked is what its table has."""
    names = [db_file_storage.save("a.txt", ContentFile(b"a")) for _ in range(3)]
    loids = [int(name.partition(".")[0]) for name in names]
    with connections[other].cursor() as cursor:
        cursor.execute("create schema lolor")
        cursor.execute(
            "create table lolor.pg_largeobject_metadata as"
            " select oid, lomowner from pg_largeobject_metadata where oid in (%s, %s)",
            loids[:2],
        )
        db_file_storage.delete(names[0])
        assert numbers(other) == {*loids[1:]}
        cursor.execute("truncate lo_storage_largeobject")
        assert numbers(other) == {loids[2]}


def test_a_reference_needs_nothing_of_the_second_migration(other):
    """A project's own migrations may come between the two, and change rows."""
    call_command("migrate", "lo_storage", "0001", database=other, verbosity=0)
    with connections[other].schema_editor() as editor:
        editor.create_model(Document)
    Document.objects.using(other).create(data=ContentFile(b"march", "march.txt"))
    Document.objects.using(other).update(data=None)
    assert numbers(other) == set()
