"""Whatever a row may hold a name in is searched, or told."""

import pytest
from django.db import connection

from lo_storage.upkeep.cleaning import unnamed
from lo_storage.upkeep.naming import search

pytestmark = pytest.mark.django_db


def execute(statement, *params):
    with connection.cursor() as cursor:
        cursor.execute(statement, params or None)


def is_named(name):
    return name not in [file.name for file in unnamed("default")]


@pytest.fixture
def name(save):
    return save(b"content", "march.tar.gz")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("text", "{}"),
        ("varchar(100)", "{}"),
        ("char(100)", "{}"),
        ("name", "{}"),
        ("another_schema.address", "/papers/{}?download"),
        ("text", '<a href="/papers/{}">March</a>'),
        ("text[]", '{{other,"{}"}}'),
        ("another_schema.address[]", '{{other,"{}"}}'),
        ("json", '{{"files": ["{}"]}}'),
        ("jsonb", '{{"files": {{"{}": 1}}}}'),
        ("another_schema.pair", '(1,"{}")'),
        ("another_schema.pair[]", '{{"(1,{})"}}'),
    ],
)
def test_a_name_is_found_in(name, column, value):
    execute("create schema another_schema")
    execute("create domain another_schema.short as varchar(1000)")
    execute("create domain another_schema.address as another_schema.short")
    execute("create type another_schema.pair as (number int, name text)")
    execute(f'create table another_schema."a 100% ""table""" ("the {{%s}} name" {column})')
    assert not is_named(name)
    insert = 'insert into another_schema."a 100%% ""table""" values (%s)'
    execute(insert, value.format("1" + name))
    assert not is_named(name)
    execute(insert, value.format(name))
    assert is_named(name)
    assert search("default").unsearchable == []


@pytest.mark.parametrize("column", ["oid", "another_schema.lo"])
def test_the_number_of_an_object_is_found_in(name, column):
    execute("create schema another_schema")
    execute("create domain another_schema.lo as oid")
    execute(f"create table another_schema.papers (object {column})")
    execute("insert into another_schema.papers values (%s), (null)", name.partition(".")[0])
    assert is_named(name)


def test_a_partition_and_a_child_and_an_unlogged_table_are_searched(name):
    execute("create table papers (year int, name text) partition by list (year)")
    execute("create table papers_1 partition of papers for values in (1)")
    execute("create unlogged table drafts (name text)")
    execute("create table old_drafts () inherits (drafts)")
    for table in ("papers (year, name) values (1, %s)", "old_drafts values (%s)"):
        assert not is_named(name)
        execute(f"insert into {table}", name)
        assert is_named(name)
        execute("delete from papers")


@pytest.mark.parametrize("column", ["int", "bigint", "numeric", "timestamptz", "uuid", "boolean"])
def test_what_can_hold_no_name_is_not_read(name, column):
    execute(f"create table papers (value {column})")
    assert "papers" not in str(search("default"))


def test_a_name_without_a_suffix_is_found_by_its_number(save):
    name = save(b"content", "LICENSE")
    execute("create table papers (name text)")
    execute("insert into papers values (%s)", name + ".pdf")
    assert not is_named(name)
    execute("insert into papers values (%s)", f"see {name}, page 3")
    assert is_named(name)


@pytest.mark.parametrize("column", ["bytea", "bytea[]", "bytes"])
def test_bytes_are_not_searched(column):
    execute("create domain bytes as bytea")
    execute(f"create table papers (pickle {column})")
    assert search("default").unsearchable == ["public.papers.pickle (bytea)"]


def test_what_the_role_may_not_read_is_told(name, guest):
    execute("create table papers (title text, secret text)")
    execute(f"grant select (title) on papers to {guest}")
    execute("create schema another_schema")
    execute("create table another_schema.papers (title text)")
    execute(f"grant select on another_schema.papers, lo_storage_largeobject to {guest}")
    execute("create table filtered (title text)")
    execute("alter table filtered enable row level security")
    execute(f"grant select on filtered to {guest}")
    execute(f"set local role {guest}")
    told = [told for told in search("default").unsearchable if "papers" in told or "filt" in told]
    execute("reset role")
    assert told == [
        "another_schema.papers.title (this role may not read it)",
        "public.filtered.title (row-level security hides rows of it)",
        "public.papers.secret (this role may not read it)",
    ]
