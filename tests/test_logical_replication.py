"""Logical replication, which docs/why.md warns of: rows and their catalogue arrive, and no file."""

import pytest
from django.core.files.base import ContentFile
from django.db import connections

from lo_storage.storage import db_file_storage
from lo_storage.tests.models import Document

from .conftest import ALIAS
from .web_servers import eventually


@pytest.fixture
def subscriber(server):
    """A database that subscribes to the tables of the other one; its name."""
    with server.connect("postgres") as publisher:
        publisher.execute("create database subscriber owner app")
        server.use("subscriber")
        server.make_tables()
        connections[ALIAS].close()
        server.use("app")
        publisher.execute("create publication documents for all tables")
        publisher.execute("select pg_create_logical_replication_slot('documents', 'pgoutput')")
        yield "subscriber"
        server.use("app")
        publisher.execute("drop database subscriber with (force)")
        publisher.execute("select pg_drop_replication_slot('documents')")
        publisher.execute("drop publication documents")


def test_rows_arrive_and_their_files_do_not(server, subscriber):
    server.use(subscriber)
    with server.connect("postgres") as session:
        session.execute(
            f"create subscription documents connection 'host={server.socket} dbname=app"
            " user=postgres' publication documents"
            " with (create_slot = false, slot_name = 'documents', copy_data = false)"
        )
        try:
            server.use("app")
            content = ContentFile(b"march", "march.pdf")
            name = Document.objects.using(ALIAS).create(title="March", data=content).data.name
            rows = "select data, name from lo_storage_tests_document join lo_storage_largeobject"
            rows += " on name = data"
            eventually(lambda: session.execute(rows).fetchall(), [(name, name)].__eq__)
            objects = session.execute("select count(*) from pg_largeobject_metadata").fetchone()
            assert objects == (0,)
            server.use(subscriber)
            with pytest.raises(FileNotFoundError):
                db_file_storage.open(name)
        finally:
            session.execute("alter subscription documents disable")
            session.execute("alter subscription documents set (slot_name = none)")
            session.execute("drop subscription documents")
