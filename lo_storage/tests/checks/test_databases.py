import pytest
from django.core import checks
from django.core.files.storage import FileSystemStorage
from django.db import connections, models

from lo_storage.checks.databases import (
    check_databases,
    check_one_transaction,
    check_requests,
    check_servers,
)
from lo_storage.fields import DbFileField
from lo_storage.storage import DbFileStorage

from .messages import ids


@pytest.fixture
def add_database():
    """A function that adds an alias, by the settings of "default" and others in their place."""
    added = []

    def add(alias, **changed):
        added.append(alias)
        connections.databases[alias] = {**connections.databases["default"], **changed}

    yield add
    for alias in added:
        del connections[alias], connections.databases[alias]


def test_a_database_that_does_not_exist(settings):
    settings.PG_LO_STORAGE_DB_FOR_READ = "replica"
    assert check_databases() == [
        checks.Error(
            "PG_LO_STORAGE_DB_FOR_READ names the database 'replica', which is not in DATABASES.",
            hint=f"Use one of: {', '.join(connections)}.",
            id="lo_storage.E002",
        )
    ]


def test_another_engine(settings, add_database):
    add_database("sqlite", ENGINE="django.db.backends.sqlite3", NAME=":memory:", OPTIONS={})
    settings.PG_LO_STORAGE_DB_FOR_WRITE = "sqlite"
    assert [message.id for message in check_databases()] == ["lo_storage.E003"]


def test_the_alias_of_a_storage_that_does_not_exist(paper):
    paper(DbFileField(storage=DbFileStorage("/papers", alias="files")))
    (message,) = check_databases()
    assert (message.id, message.msg) == (
        "lo_storage.E002",
        "lo_storage.Paper.data names the database 'files', which is not in DATABASES.",
    )


class KeepOut:
    """A router that has the library's tables in no database but "catalogue"."""

    def allow_migrate(self, db, app_label, **hints):
        return db == "catalogue" if app_label == "lo_storage" else None


def test_a_router_that_keeps_the_catalogue_out(paper, settings):
    paper(DbFileField(storage=DbFileStorage("/papers")))
    assert check_databases() == []
    settings.DATABASE_ROUTERS = [KeepOut()]
    (message,) = check_databases()
    assert (type(message), message.id) == (checks.Warning, "lo_storage.W008")
    assert "run 'manage.py migrate --database default'" in message.hint


def test_a_database_that_is_only_read_from_needs_no_migration(paper, settings, add_database):
    add_database("replica")
    paper(DbFileField(storage=DbFileStorage("/papers")))
    settings.PG_LO_STORAGE_DB_FOR_READ = "replica"
    settings.PG_LO_STORAGE_DB_FOR_WRITE = "default"
    settings.DATABASE_ROUTERS = [OnlyHere()]
    assert check_databases() == []


class OnlyHere:
    def allow_migrate(self, db, app_label, **hints):
        return db == "default"


def test_each_request_a_transaction(paper, monkeypatch):
    monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", True)
    paper(models.FileField(storage=FileSystemStorage()), reference=False)
    assert check_requests() == []
    paper(DbFileField(storage=DbFileStorage("/papers")))
    assert ids(check_requests()) == ["lo_storage.W004"]


@pytest.fixture
def compressed_by_lz4():
    """Sessions whose server has lz4 and does not use it are told so."""
    with connections["default"].cursor() as cursor:
        cursor.execute("select enumvals from pg_settings where name = 'default_toast_compression'")
        if "lz4" in (choices := cursor.fetchone()[0]):
            cursor.execute("set default_toast_compression = lz4")
        yield choices
        cursor.execute("reset default_toast_compression")


@pytest.mark.django_db
def test_lz4_where_the_server_has_it(paper, compressed_by_lz4):
    paper(DbFileField(storage=DbFileStorage("/papers")))
    assert check_servers(databases=["default"]) == []
    name = connections["default"].settings_dict["NAME"]
    with connections["default"].cursor() as cursor:
        cursor.execute("set default_toast_compression = pglz")
        messages = check_servers(databases=["default"])
        if "lz4" not in compressed_by_lz4:
            assert messages == []
            return
        (message,) = messages
        assert message.id == "lo_storage.I001"
        assert f"alter database {name} set default_toast_compression = lz4" in message.hint
        # The statement may be said as it stands.
        cursor.execute(message.hint.partition(": ")[2])


@pytest.mark.django_db
def test_more_files_than_locks(paper, compressed_by_lz4):
    paper(DbFileField(storage=DbFileStorage("/papers")))
    assert check_servers(databases=["default"]) == []
    assert check_servers(databases=None) == check_servers(databases=["other"]) == []
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "select current_setting('max_locks_per_transaction')::int"
            " * (current_setting('max_connections')::int"
            "    + current_setting('max_prepared_transactions')::int)"
        )
        (locks,) = cursor.fetchone()
        insert = (
            "insert into lo_storage_largeobject"
            " (loid, name, original_name, size, version, created_at, modified_at)"
            " select i, i, '', 0, 1, now(), now() from generate_series(%s::int, %s::int) as i"
        )
        cursor.execute(insert, [1, locks])
        assert check_servers(databases=["default"]) == []
        cursor.execute(insert, [locks + 1, locks + 1])
    (message,) = check_servers(databases=["default"])
    assert message.id == "lo_storage.W006"
    assert message.msg.endswith(f"one transaction can delete about {locks:,}.")


@pytest.mark.django_db
def test_a_database_that_is_about_to_be_migrated_has_no_locks_to_look_at(paper, compressed_by_lz4):
    paper(DbFileField(storage=DbFileStorage("/papers")))
    with connections["default"].cursor() as cursor:
        cursor.execute("alter table lo_storage_largeobject rename to another")
    assert check_servers(databases=["default"]) == []


def test_rows_in_another_database_than_their_files(rows_elsewhere):
    assert check_one_transaction() == [
        checks.Warning(
            f"The rows of lo_storage_tests.Document.{column} are in another database than their"
            " files in 'default': no transaction holds both.",
            hint="Give the field's DbFileStorage the alias of the model's database.",
            id="lo_storage.W001",
        )
        for column in ("data", "scan")
    ]
