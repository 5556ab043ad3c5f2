"""Whatever a row may hold a name in is searched, or told."""

import re

import pytest
from django.db import connection

from lo_storage.upkeep import cleaning, searching
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
        ("another_schema.list", '{{"{}"}}'),
        ("another_schema.list[]", '{{"{{\\"{}\\"}}"}}'),
        ("another_schema.span", '["{}",)'),
    ],
)
def test_a_name_is_found_in(name, column, value):
    execute("create schema another_schema")
    execute("create domain another_schema.short as varchar(1000)")
    execute("create domain another_schema.address as another_schema.short")
    execute("create domain another_schema.list as text[]")
    execute("create type another_schema.span as range (subtype = text)")
    execute(f'create table another_schema."a 100% ""table""" ("the {{%s}} name" {column})')
    assert not is_named(name)
    insert = 'insert into another_schema."a 100%% ""table""" values (%s)'
    execute(insert, value.format(name[1:]))
    assert not is_named(name)
    execute(insert, value.format(name))
    assert is_named(name)
    assert search("default").unsearchable == []


@pytest.mark.parametrize(
    ("column", "value"),
    [("oid", "{}"), ("another_schema.lo", "{}"), ("oid[]", "{{7,{}}}"), ("oidvector", "7 {}")],
)
def test_the_number_of_an_object_is_found_in(name, column, value):
    execute("create schema another_schema")
    execute("create domain another_schema.lo as oid")
    execute(f"create table another_schema.papers (object {column})")
    assert not is_named(name)
    number = value.format(name.partition(".")[0])
    execute("insert into another_schema.papers values (%s), (null)", number)
    assert is_named(name)


@pytest.mark.parametrize("column", ["int", "bigint", "regclass", "another_schema.number", "oid"])
def test_a_foreign_key_of_any_type_is_found(name, column):
    execute("create schema another_schema")
    execute("create domain another_schema.number as bigint")
    execute(
        'create table another_schema."the papers" (value int, "the object" '
        f"{column} references lo_storage_largeobject (loid))"
    )
    execute("""insert into another_schema."the papers" ("the object") values (null)""")
    assert not is_named(name)
    loid = int(name.partition(".")[0])
    execute("""update another_schema."the papers" set "the object" = %s::bigint""", loid)
    assert is_named(name)


def test_a_foreign_key_that_holds_what_is_no_number_of_an_object_stops_nothing(name):
    """It was not valid when it came."""
    execute("create table papers (object bigint)")
    execute("insert into papers values (-1), (4294967296), (%s)", name.partition(".")[0])
    execute(
        "alter table papers"
        " add foreign key (object) references lo_storage_largeobject (loid) not valid"
    )
    assert is_named(name)


@pytest.mark.parametrize(
    "text",
    [
        "/edit?state=%7B%22file%22%3A%22{}%22%7D",
        "mailto:a?body=see%20{}",
        "March \\u2014{}",
        "/x/20240131.{}",
        "20240131{}",
        "1.{}.2",
        "{}{}",
        "{}7",
        "7.{}",
    ],
)
def test_what_stands_around_a_name_does_not_hide_it(name, text):
    execute("create table papers (name text)")
    execute("insert into papers values (%s)", text.format(name, name))
    assert is_named(name)


def test_two_names_one_after_the_other(name, save):
    other = save(b"content", "LICENSE")
    execute("create table papers (name text)")
    execute("insert into papers values (%s)", f"{other}.{name}")
    assert is_named(name)
    assert is_named(other)


@pytest.mark.parametrize("suffix", [".2 final.pdf", ". der Größe .txt", ".Ä", ".7z", "..x", ".😀"])
def test_a_name_that_pg_lo_storage_gave(name, suffix):
    loid = name.partition(".")[0]
    execute("update lo_storage_largeobject set name = %s", loid + suffix)
    execute("create table papers (name text)")
    assert not is_named(loid + suffix)
    execute("insert into papers values (%s)", loid + suffix)
    assert is_named(loid + suffix)


def test_a_number_with_a_fraction_names_no_file_with_a_suffix(name):
    execute("create table papers (amount text)")
    execute("insert into papers values (%s)", name.partition(".")[0] + ".50 EUR")
    assert not is_named(name)


def test_a_materialized_view_a_default_and_a_collation(name, save):
    execute("create table papers (name text)")
    execute("insert into papers values (%s)", name)
    execute("create materialized view old_papers as select name from papers")
    execute("delete from papers")
    assert is_named(name)
    other = save(b"content", "april.pdf")
    assert not is_named(other)
    execute(f"create table letters (name text default '{other}')")
    assert is_named(other)


def test_a_materialized_view_without_data_stops_nothing(name):
    execute("create table papers (name text)")
    execute("create materialized view drafts as select name from papers with no data")
    execute("insert into papers values (%s)", name)
    assert is_named(name)


def test_a_table_that_the_role_may_not_read_stops_nothing(name, save, guest):
    lost = save(b"lost")
    execute("create table papers (name text)")
    execute("insert into papers values (%s)", name)
    execute("create table secrets (name text)")
    execute(f"grant select on papers, lo_storage_largeobject to {guest}")
    execute(f"set local role {guest}")
    found = [file.name for file in unnamed("default")]
    told = search("default").unsearchable
    execute("reset role")
    assert found == [lost]
    assert "public.secrets.name (this role may not read it)" in told


@pytest.mark.parametrize("column", ["another_schema.pair", "another_schema.pair[]"])
def test_a_composite_type_is_told(column):
    execute("create schema another_schema")
    execute("create type another_schema.pair as (number int, pickle bytea)")
    execute(f"create table papers (pair {column})")
    assert search("default").unsearchable == ["public.papers.pair (a composite type)"]


def test_a_file_that_came_after_the_search_is_kept(name, save, monkeypatch):
    """Its number is not among those that were looked for."""
    came = []

    def strike_all(*args):
        came.append(save())
        searching.strike_all(*args)

    monkeypatch.setattr(cleaning, "strike_all", strike_all)
    assert [file.name for file in unnamed("default")] == [name]
    assert came


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


def test_more_columns_than_a_function_takes_and_a_text_larger_than_a_block(name):
    columns = ", ".join(f"column_{number} text" for number in range(150))
    execute(f"create table papers ({columns})")
    execute("insert into papers (column_1) values (repeat('1 ', 2000000))")
    assert not is_named(name)
    execute("insert into papers (column_149) values (%s)", name)
    assert is_named(name)


@pytest.mark.parametrize("column", ["int", "bigint", "numeric", "timestamptz", "uuid", "boolean"])
def test_what_can_hold_no_name_is_not_read(name, column):
    execute(f"create table papers (value {column})")
    assert not re.search(r"public\.papers\b", str(search("default")))


def test_a_name_without_a_suffix_is_found_by_its_number(save):
    name = save(b"content", "LICENSE")
    execute("create table papers (name text)")
    execute("insert into papers values (%s)", name[1:])
    assert not is_named(name)
    execute("insert into papers values (%s)", f"see {name}, page 3")
    assert is_named(name)


@pytest.mark.parametrize("column", ["bytea", "bytea[]", "bytes", "bytes[]"])
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
    ours = ("another_schema.", "public.filtered.", "public.papers.")
    told = [told for told in search("default").unsearchable if told.startswith(ours)]
    execute("reset role")
    assert told == [
        "another_schema.papers.title (this role may not read it)",
        "public.filtered.title (row-level security hides rows of it)",
        "public.papers.secret (this role may not read it)",
    ]
