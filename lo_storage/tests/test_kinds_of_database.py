"""The life of a file is the same in each kind of database and of connection to it."""

import logging
import secrets
from contextlib import ExitStack, contextmanager, suppress
from types import SimpleNamespace

import pytest
from asgiref.sync import async_to_sync
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.db import IntegrityError, connections, transaction
from django.test import AsyncRequestFactory, RequestFactory
from psycopg import sql

from lo_storage.models import LargeObject
from lo_storage.storage import DbFileIO, DbFileStorage, db_file_storage
from lo_storage.upkeep import columns
from lo_storage.views import adb_serve, db_serve

from .commands import run
from .databases import added_alias, administrator, another_database, numbers
from .models import Attachment, Document

MiB = 1024 * 1024


@contextmanager
def ordinary_role(name):
    """USER and PASSWORD of a role that may do nothing but own the schema `papers` of a database."""
    role = {"USER": f"{name}_role", "PASSWORD": secrets.token_hex()}
    user = sql.Identifier(role["USER"])
    with administrator(name) as session:
        session.execute(sql.SQL("create role {} login password {}").format(user, role["PASSWORD"]))
        try:
            session.execute(sql.SQL("create schema papers authorization {}").format(user))
            yield role
        finally:
            session.execute("drop schema papers cascade")
            session.execute(sql.SQL("drop role {}").format(user))


OPTIONS = {"server_side_binding": True, "pool": True, "prepare_threshold": 0}


@pytest.fixture(params=[*OPTIONS, "another database", "ordinary role"])
def alias(request, transactional_db, settings, monkeypatch):
    """An alias to which settings and a router send everything, migrated and with tables."""
    with ExitStack() as stack:
        match request.param:
            case "another database":
                database = stack.enter_context(another_database())
                alias = stack.enter_context(added_alias("other", **database))
            case "ordinary role":
                database = stack.enter_context(another_database())
                database |= stack.enter_context(ordinary_role(database["NAME"]))
                options = {"options": "-c search_path=papers"}
                alias = stack.enter_context(added_alias("ordinary", OPTIONS=options, **database))
            case option:
                options = {option: OPTIONS[option]}
                alias = stack.enter_context(added_alias(option, OPTIONS=options))
        settings.PG_LO_STORAGE_DB_FOR_READ = settings.PG_LO_STORAGE_DB_FOR_WRITE = alias
        settings.DATABASE_ROUTERS = [Everything(alias)]
        monkeypatch.setattr(
            columns, "apps", SimpleNamespace(get_models=lambda: [Document, Attachment])
        )
        call_command("migrate", "lo_storage", database=alias, verbosity=0)
        create_tables(alias)
        yield alias
        drop_tables(alias)


def create_tables(alias):
    with connections[alias].schema_editor() as editor:
        editor.create_model(Document)
        editor.create_model(Attachment)


def drop_tables(alias):
    with connections[alias].schema_editor() as editor:
        editor.delete_model(Attachment)
        editor.delete_model(Document)


class Everything:
    """A router that sends each model to one database."""

    def __init__(self, alias):
        self.alias = alias

    def db_for_read(self, model, **hints):
        return self.alias

    db_for_write = db_for_read


def content(data=b"march"):
    return ContentFile(data, "march.txt")


def test_the_life_of_a_file(alias):
    document = Document.objects.create(data=content(b"x" * 2 * MiB + b"y"))
    assert document._state.db == alias
    name = document.data.name
    (loid,) = numbers(alias)
    assert LargeObject.objects.get().name == name == f"{loid}.txt"

    with Document.objects.get().data.open() as file:
        assert file.read() == b"x" * 2 * MiB + b"y"
        assert file.size == 2 * MiB + 1
    response = db_serve(RequestFactory().get("/"), name)
    assert b"".join(response) == b"x" * 2 * MiB + b"y"
    with transaction.atomic(using=alias), document.data.open("r+b") as file:
        file.seek(2 * MiB)
        file.write(b"zz")
    assert db_file_storage.size(name) == 2 * MiB + 2

    with suppress(ZeroDivisionError), transaction.atomic(using=alias):
        with transaction.atomic(using=alias):
            document.data.save("april.txt", content(b"april"))
            with document.data as file:
                assert file.read() == b"april"
        with db_file_storage.open(name, "ab") as file:
            file.write(b"never")
        raise ZeroDivisionError
    assert numbers(alias) == {loid}
    document.refresh_from_db()
    assert document.data.name == name
    with document.data as file:
        assert file.read()[-3:] == b"xzz"

    document.data.save("may.txt", content(b"may"))
    assert len(numbers(alias)) == 1
    with Document.objects.get().data as file:
        assert file.read() == b"may"
    with pytest.raises(IntegrityError):
        db_file_storage.delete(document.data.name)
    Document.objects.all().delete()
    assert numbers(alias) == set()


def test_the_commands(alias):
    named, lost = (db_file_storage.save("a.txt", content()) for _ in range(2))
    Document.objects.create(data=named)
    assert run("lo_clean", hours=0, delete=True) == f"{lost}\t5\ta.txt\nFiles deleted: 1\n"
    Document.objects.all().delete()
    with connections[alias].cursor() as cursor:
        cursor.execute("select lo_from_bytea(0, 'old')")
        (loid,) = cursor.fetchone()
    (reference,) = Attachment._meta.constraints
    with connections[alias].schema_editor() as editor:
        editor.remove_constraint(Attachment, reference)
    Attachment.objects.create(data=f"{loid}.pdf")
    assert run("lo_adopt") == "Large objects adopted: 1. Names refused: 0.\n"
    with connections[alias].schema_editor() as editor:
        editor.add_constraint(Attachment, reference)
    with Attachment.objects.get().data as file:
        assert file.read() == b"old"
    Attachment.objects.update(data=None)
    assert numbers(alias) == set()


@pytest.mark.parametrize("alias", ["ordinary role"], indirect=True)
def test_a_role_that_owns_but_a_schema(alias):
    """It migrates to zero, too, and cannot do what would make the tests above say nothing."""
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "select rolsuper, rolcreatedb, rolcreaterole, current_user = session_user"
            " from pg_roles where rolname = current_user"
        )
        assert cursor.fetchone() == (False, False, False, True)
        cursor.execute("select has_table_privilege('pg_largeobject', 'select')")
        assert cursor.fetchone() == (False,)
    drop_tables(alias)
    call_command("migrate", "lo_storage", "zero", database=alias, verbosity=0)
    call_command("migrate", "lo_storage", database=alias, verbosity=0)
    create_tables(alias)


@pytest.mark.parametrize("alias", ["another database"], indirect=True)
def test_two_databases_by_alias(alias, settings):
    """Numbers are given in each database by itself: the alias says whose number it is."""
    del settings.PG_LO_STORAGE_DB_FOR_READ, settings.PG_LO_STORAGE_DB_FOR_WRITE
    here, there = db_file_storage, DbFileStorage(alias=alias)
    ours, theirs = here.save("a.txt", content(b"ours")), there.save("a.txt", content(b"theirs"))
    with here.open(ours) as mine, there.open(theirs) as another:
        assert (mine.read(), another.read()) == (b"ours", b"theirs")
    assert (here.listdir("")[1], there.listdir("")[1]) == ([ours], [theirs])
    assert b"".join(db_serve(RequestFactory().get("/"), theirs, storage=there)) == b"theirs"
    assert len(numbers("default")) == len(numbers(alias)) == 1

    file = there.open(theirs)
    file.close()
    with file.open() as file:
        assert file.read() == b"theirs"
    with transaction.atomic(using=alias), file.open("r+b"):
        file.write(b"T")
    with there.open(theirs) as file:
        assert file.read() == b"Theirs"
    there.delete(theirs)
    assert (numbers("default"), numbers(alias)) == ({here.entry(ours).loid}, set())


@pytest.mark.parametrize("alias", ["another database"], indirect=True)
def test_reading_in_one_database_and_writing_in_the_other(alias, settings, caplog):
    """What the first one lacks is found in the second, and opened there again."""
    caplog.set_level(logging.INFO, "lo_storage")
    settings.PG_LO_STORAGE_DB_FOR_READ = "default"
    theirs = db_file_storage.save("a.txt", content(b"theirs"))
    assert (numbers("default"), len(numbers(alias))) == (set(), 1)
    assert caplog.record_tuples == []
    (loid,) = numbers(alias)
    message = f"Large object {loid} was not found in 'default', and was in '{alias}'"
    assert b"".join(db_serve(RequestFactory().get("/"), theirs)) == b"theirs"
    file = db_file_storage.open(theirs)
    assert caplog.record_tuples == [("lo_storage", logging.INFO, message)] * 2
    file.close()
    with file.open() as file:
        assert file.read() == b"theirs"
    with transaction.atomic(using=alias), file.open("r+b"):
        file.write(b"T")
    with file.open("rb") as file:
        assert file.read() == b"Theirs"
    ours = DbFileStorage(alias="default").save("a.txt", content(b"ours"))
    with db_file_storage.open(ours) as file:
        assert file.read() == b"ours"
        with transaction.atomic(using=alias), pytest.raises(FileNotFoundError):
            db_file_storage.open(ours, "r+b")


@pytest.mark.parametrize("alias", ["another database"], indirect=True)
def test_each_mib_is_read_where_the_file_was_found(alias, settings):
    settings.PG_LO_STORAGE_DB_FOR_READ = "default"
    data = b"x" * 2 * MiB + b"y"
    name = db_file_storage.save("a.txt", content(data))
    assert b"".join(db_serve(RequestFactory().get("/"), name)) == data

    @async_to_sync
    async def served_by_asgi():
        response = await adb_serve(AsyncRequestFactory().get("/"), name)
        return b"".join([row async for row in response])

    assert served_by_asgi() == data


@pytest.mark.parametrize("alias", ["another database"], indirect=True)
def test_a_transaction_of_one_database_says_nothing_of_the_other(alias):
    with transaction.atomic():
        name = db_file_storage.save("a.txt", content())
        with pytest.raises(transaction.TransactionManagementError, match=f"using='{alias}'"):
            db_file_storage.open(name, "wb")
        transaction.set_rollback(True)
    assert db_file_storage.exists(name)


@pytest.mark.parametrize("alias", ["server_side_binding"], indirect=True)
def test_the_log_never_holds_the_content(alias, caplog):
    """Where Django binds on the server, its log composes the statement from the parameters."""
    connections[alias].force_debug_cursor = True
    caplog.set_level(logging.DEBUG, "django.db.backends")
    with transaction.atomic(using=alias):
        name = db_file_storage.save("a.txt", content(b"secret" * 1000))
        with db_file_storage.open(name, "r+b") as file:
            file.write(memoryview(b"secret"))
        with DbFileIO(db_file_storage.entry(name).loid, "ab") as file:
            file.write(bytearray(b"secret"))
    logged = f"{connections[alias].queries} {caplog.text}"
    assert "lo_from_bytea(0::oid, '<6,000 bytes>')" in logged
    assert "lo_put" in logged
    assert "secret" not in logged
    assert b"secret".hex() not in logged
