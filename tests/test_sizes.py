"""What docs/why.md says of the size of the database: files of random bytes, in a new one."""

import os
import re

import pytest
from django.core.files.base import ContentFile
from psycopg import errors

from lo_storage.storage import db_file_storage

from .pages import ROOT

TABLES = [
    ["pg_largeobject", "pg_largeobject_metadata", "lo_storage_largeobject"],
    ["in_a_column"],
]


@pytest.fixture
def session(server):
    with server.connect("postgres") as outside:
        outside.execute("create database sizes owner app")
        server.use("sizes")
        server.make_tables()
        with server.connect() as session:
            session.execute("create table in_a_column (data bytea)")
            yield session
        server.use("app")
        outside.execute("drop database sizes with (force)")


def test_the_database_grows_by_as_much_as_the_page_says(session):
    said = re.findall(
        r"([\d.]+) times the file of 10 MB, ([\d.]+) of 10 KB", (ROOT / "docs/why.md").read_text()
    )

    def sizes():
        measure = (
            "select sum(pg_total_relation_size(name::regclass)) from unnest(%s::text[]) as name"
        )
        return [int(session.execute(measure, [tables]).fetchone()[0]) for tables in TABLES]

    for column, number, length in [(0, 1, 10_000_000), (1, 500, 10_000)]:
        before = sizes()
        for _ in range(number):
            content = os.urandom(length)
            db_file_storage.save("a.bin", ContentFile(content))
            session.execute("insert into in_a_column values (%b)", [content])
        grown = [(a - b) / number / length for a, b in zip(sizes(), before, strict=True)]
        assert grown == [pytest.approx(float(row[column]), abs=0.02) for row in said]


def test_the_table_of_all_files_can_have_no_tablespace_of_its_own(session, server):
    with (
        server.connect("postgres") as superuser,
        pytest.raises(errors.InsufficientPrivilege, match="is a system catalog"),
    ):
        superuser.execute("alter table pg_largeobject set tablespace pg_default")
    session.execute("vacuum full pg_largeobject")  # Which the owner of the database may.
