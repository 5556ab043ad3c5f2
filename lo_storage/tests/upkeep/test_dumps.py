import gzip
import re
from datetime import UTC, datetime

import pytest

from lo_storage.catalogue import Entry
from lo_storage.upkeep.backups import BackupError
from lo_storage.upkeep.dumps import Dump
from lo_storage.upkeep.scripts import LINE

HEAD = "--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\n\n"
CATALOGUE = (
    "COPY public.lo_storage_largeobject (loid, name, original_name, size, sha256, version,"
    " created_at, modified_at) FROM stdin;\n{}\\.\n\n"
)
ROW = (
    "16418\t16418.txt\ta\\tb\\\\c\\n.txt\t5\t\\N\t3\t2026-11-01 08:00:00.5+00\t"
    "2026-11-02 09:30:00+05:30\n"
)
ENTRY = Entry(
    16418,
    "16418.txt",
    "a\tb\\c\n.txt",
    5,
    None,
    3,
    datetime(2026, 11, 1, 8, 0, 0, 500_000, tzinfo=UTC),
    datetime(2026, 11, 2, 4, tzinfo=UTC),
)


def large_object(loid, *pieces, prefix="\\x"):
    written = "".join(
        f"SELECT pg_catalog.lowrite(0, '{prefix}{piece.hex()}');\n" for piece in pieces
    )
    opened = f"SELECT pg_catalog.lo_open('{loid}', 131072);\n"
    return f"{opened}{written}SELECT pg_catalog.lo_close(0);\n\n"


@pytest.fixture
def read(tmp_path):
    """A function that writes a dump and reads files out of it."""

    def read(*parts, loids=(16418,), compress=bytes):
        path = tmp_path / "dump.sql"
        path.write_bytes(compress("".join([HEAD, *parts]).encode()))
        return [
            (saved.loid, saved.entry, _bytes(saved), saved.size) for saved in Dump(path).read(loids)
        ]

    return read


def _bytes(saved):
    saved.content.seek(0)
    return saved.content.read()


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_only_what_is_asked_for_is_read(read, compress):
    found = read(
        CATALOGUE.format(ROW),
        large_object(16417, b"another"),
        large_object(16418, b"ma", b"rch"),
        large_object(16419),
        large_object(16420, b"another"),
        loids=[16418, 16419, 16421],
        compress=compress,
    )
    assert found == [(16418, ENTRY, b"march", 5), (16419, None, b"", 0)]


def test_of_a_server_without_standard_strings(read):
    assert read(large_object(16418, b"march", prefix="\\\\x")) == [(16418, None, b"march", 5)]


@pytest.mark.parametrize(
    "imitation",
    [
        "COPY public.texts (id, text) FROM stdin;\n1\t{}\\.\n\n",
        'COPY public."a\nb" (text) FROM stdin;\n{}\\.\n\n',
        'COPY public.texts ("a\n""\nb", "c FROM stdin;\n") FROM stdin;\n{}\\.\n\n',
        "COPY public.nothing  FROM stdin;\n{}\\.\n\n",
        "CREATE FUNCTION f() RETURNS trigger\n    LANGUAGE plpgsql\n    AS $_$begin\n{}$_$;\n\n",
        f"CREATE FUNCTION f() RETURNS int\n    AS $$select 1 /*{'x' * LINE}*/$$;\n\n"
        "CREATE FUNCTION g() RETURNS int\n    AS $$begin\n{}$$;\n\n",
        f"CREATE FUNCTION f() RETURNS int\n    AS $_X$select 1 /*{'x' * (LINE - 27)}*/$_X$;\n\n"
        "CREATE FUNCTION g() RETURNS int\n    AS $$begin\n{}$$;\n\n",
        "COMMENT ON TABLE public.texts IS '{quoted}';\n\n",
        "COMMENT ON TABLE public.u IS 'it''s \\';\nCOMMENT ON TABLE public.t IS '{quoted}';\n\n",
        "COMMENT ON TABLE public.u IS E'it\\'s';\nCOMMENT ON TABLE public.t IS '{quoted}';\n\n",
        "SET standard_conforming_strings = off;\nCOMMENT ON TABLE public.t IS '\\'{quoted}';\n\n",
        "COMMENT ON COLUMN public.a$b$c IS 'one';\nCOMMENT ON COLUMN public.d$b$ IS '{quoted}';\n",
        "COMMENT ON TABLE public.\"it's\" IS '{quoted}';\n\n",
        'CREATE TABLE public."a\n{}\n" (\n    id integer\n);\n\n',
    ],
)
def test_what_only_looks_like_a_file_is_none(read, imitation):
    """A row of a table, a function, a comment and a name may have any text."""
    forged = f"{large_object(16418, b'forged')}{CATALOGUE.format(ROW)}".replace("\\.\n", "")
    quoted = f"\n{forged}".replace("'", "''")
    assert read(imitation.format(forged, quoted=quoted), large_object(16418, b"march")) == [
        (16418, None, b"march", 5)
    ]


def test_a_function_on_one_line_hides_nothing(read):
    function = "CREATE FUNCTION f() RETURNS int\n    LANGUAGE sql\n    AS $$select 1$$;\n\n"
    assert read(function, large_object(16418, b"march")) == [(16418, None, b"march", 5)]


def test_the_end_of_rows_is_a_line_of_its_own(read):
    """Also where what is read at a time ends in the middle of an escaped backslash."""
    row = f"{'x' * (LINE - 1)}\\\\.\n"
    rows = f"{row}{large_object(16418, b'forged')}"
    assert read(f"COPY public.texts (text) FROM stdin;\n{rows}\\.\n\n") == []


def test_a_statement_may_be_larger_than_what_is_read_at_a_time(read):
    text = "'it''s'::text, " * (LINE // 5)
    table = f"CREATE TABLE public.t (\n    a text[] DEFAULT ARRAY[{text}'']\n);\n\n"
    assert read(table, large_object(16418, b"march")) == [(16418, None, b"march", 5)]


def test_a_comment_may_be_about_rows_that_are_inserted(read):
    comment = (
        "COMMENT ON TABLE public.texts IS 'As in:\nINSERT INTO texts ...\nCOPY a (b) FROM x';\n"
    )
    assert read(comment, CATALOGUE.format(ROW), large_object(16418, b"march")) == [
        (16418, ENTRY, b"march", 5)
    ]


def test_a_database_with_settings_of_its_own_is_connected_to_twice(read):
    settings = "\\connect papers\nALTER DATABASE papers SET a.b TO '1';\n\\connect papers\n\n"
    assert read(settings, large_object(16418, b"march")) == [(16418, None, b"march", 5)]


def test_all_names_may_be_quoted(read):
    quoted = re.sub(r"(\w+)(?=[.,)]| \()", r'"\1"', CATALOGUE.partition("\n")[0])
    rows = f"{quoted}\n{ROW}\\.\n\n"
    assert read(rows, large_object(16418, b"march")) == [(16418, ENTRY, b"march", 5)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "COPY public.texts (id) FROM stdin WITH CSV;\n",
            "pg_dump does not write there b'COPY pub",
        ),
        ("COPY public.texts (id) FROM stdin; \n", "pg_dump does not write there"),
        ("SELECT 1; COPY public.texts (id) FROM stdin;\n", "pg_dump does not write there"),
        (large_object(7, b"") + CATALOGUE.format(ROW), "pg_dump does not write there"),
        (CATALOGUE.format(ROW) + CATALOGUE.format(ROW.replace("5", "6")), "two rows of lo_storage"),
        (large_object(16418, b"march") + large_object(16418, b"april"), "object 16418 twice"),
        ("SELECT 1 /* one */;\n", r"it has '/\*' where pg_dump writes none"),
        ("SELECT 1 \\gexec\n", "where pg_dump writes none"),
        (f"SELECT {'1, ' * LINE};\n", "without a text"),
        (
            "SET client_encoding = 'SJIS';\n",
            "encoding SJIS is not read here: restore it into a dat",
        ),
        ("COMMENT ON TABLE a IS 'it", "not all there"),
        (CATALOGUE.format(ROW[:-1] + "0" * LINE + "\n"), "or not all of it"),
        (CATALOGUE.replace("loid, ", "number, ").format(ROW), "or not all of it"),
        ("INSERT INTO public.texts VALUES ('\n');\n", "made with --inserts"),
        ("\\connect one\n\\connect two\n", "several databases"),
        (large_object(16418, b"march").partition("SELECT pg_catalog.lo_close")[0], "not all there"),
        (large_object(16418, b"march").partition("7263")[0], "or not all of it"),
        (CATALOGUE.format(ROW).partition("\\.")[0], "not all there"),
        (CATALOGUE.format(ROW).partition("2026")[0], "or not all of it"),
    ],
)
def test_what_cannot_be_read_is_refused(read, text, says):
    with pytest.raises(BackupError, match=says):
        read(text, loids=[16418, 16419])


def test_an_archive_that_ends_too_early_is_refused(read):
    with pytest.raises(BackupError, match="not all there"):
        read(large_object(16417, b"m" * 90_000), compress=lambda text: gzip.compress(text)[:-20])


def test_a_dump_that_is_not_there(tmp_path):
    with pytest.raises(BackupError, match="No such file or directory"):
        list(Dump(tmp_path / "nothing").read([1]))


def test_without_pg_restore_it_is_said_what_to_install(tmp_path):
    (tmp_path / "dump").write_bytes(b"PGDMP")
    with pytest.raises(BackupError, match="install PostgreSQL's client programs"):
        list(Dump(tmp_path / "dump", str(tmp_path / "pg_restore")).read([1]))
