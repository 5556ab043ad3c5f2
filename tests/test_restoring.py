"""Single files out of dumps and out of a physical backup, by PostgreSQL's own programs."""

import os
import re
import shlex
import subprocess
import tempfile
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from psycopg import sql as pgsql

from lo_storage.models import LargeObject
from lo_storage.tests.models import Document

from .conftest import ALIAS, OPTIONS
from .pages import ROOT, blocks
from .test_checking import check, loid

documents = Document.objects.using(ALIAS)

FORMATS = ["custom", "directory", "tar", "plain"]
MARCH = b"m" * 10_000


@pytest.fixture
def dump(site, tmp_path):
    """A function that dumps the site's database, and returns where to."""

    def dump(*options):
        path = tmp_path / f"dump{len(list(tmp_path.iterdir()))}"
        command = [site.server.programs / "pg_dump", f"--host={site.socket}"]
        subprocess.run(
            [*command, "--username=postgres", f"--file={path}", *options, "app"], check=True
        )
        return path

    return dump


@pytest.fixture
def restore(site):
    """A function that runs the command, and returns (exit status, what it prints)."""

    def restore(*arguments, programs=site.server.programs):
        out = StringIO()
        arguments = [*map(str, arguments), f"--pg-restore={programs}/pg_restore"]
        try:
            call_command("lo_restore", *arguments, stdout=out, stderr=out)
        except CommandError as error:
            return error.returncode, f"{out.getvalue()}{error}\n"
        return 0, out.getvalue()

    return restore


def sql(server, *statements):
    with server.connect("postgres") as session:
        for statement in statements:
            session.execute(statement)


def name(title):
    return documents.get(title=title).data.name


def entries():
    return list(LargeObject.objects.using(ALIAS).order_by("loid").values())


def lose(site):
    """An object, a page of another, and an object with its row of the catalogue."""
    empty = name("empty")
    sql(
        site,
        f"select lo_unlink({loid('april')})",
        f"delete from pg_largeobject where loid = {loid('march')} and pageno = 2",
        "alter table lo_storage_largeobject disable trigger all",
        f"delete from lo_storage_largeobject where name = '{empty}'",
        "alter table lo_storage_largeobject enable trigger all",
        f"select lo_unlink({empty.partition('.')[0]})",
    )
    assert check(verify=True) == (1, LOST)


LOST = [
    ("file-without-object", "april"),
    ("row-without-file", "empty"),
    ("wrong-content", "march"),
]


def assert_it_comes_back(site, restore, *backup):
    before = entries()
    lose(site)
    command = ["--missing", "--verify", *backup]
    lines = [
        f"{name(title)}: comes back, {size} bytes"
        for title, size in [("march", "10,000"), ("april", "5"), ("empty", "0")]
    ]
    status, printed = restore(*command)
    last = "Would be restored: 3. Refused: 0. --apply does it."
    assert (status, sorted(printed.splitlines())) == (0, sorted([*lines, last]))
    assert check(verify=True) == (1, LOST)
    status, printed = restore(*command, "--apply")
    last = "Restored: 3. Refused: 0."
    assert (status, sorted(printed.splitlines())) == (0, sorted([*lines, last]))
    assert check(verify=True) == (0, [])
    assert entries() == before
    assert site.stored() == {"march": MARCH, "april": b"april", "empty": b""}


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_lost_comes_back_out_of_a_dump(site, dump, restore, format):
    assert_it_comes_back(site, restore, f"--dump={dump(f'--format={format}')}")


@pytest.fixture
def theirs(site):
    """What another application has in the same database, and whose texts look like a dump."""
    number = loid("march")
    forged = (
        f"\nSELECT pg_catalog.lo_open('{number}', 131072);\n"
        "SELECT pg_catalog.lowrite(0, '\\x00');\nSELECT pg_catalog.lo_close(0);\n"
    )
    text = pgsql.Literal(f"'\\{forged}").as_string()
    table = pgsql.Identifier(f"it's \"$$ {forged}"[:60]).as_string()
    sql(
        site,
        "create schema theirs",
        f"create table theirs.{table} ({table} text default {text})",
        f"insert into theirs.{table} select unnest(string_to_array({text}, e'\\n'))",
        f"comment on table theirs.{table} is {text}",
        "create function theirs.a() returns text language sql as"
        f" $of$select $$it''s {'x' * 1_200_000}$$$of$",
        f"create function theirs.b() returns int language plpgsql as $$begin /*{forged}*/ end$$",
        "create function theirs.c() returns void begin atomic"
        f" insert into theirs.{table} values ({text}); end",
        f"create rule r as on insert to theirs.{table} do"
        f" (delete from theirs.{table} where {table} = {text}; notify theirs)",
    )
    yield
    sql(site, "drop schema theirs cascade")


@pytest.mark.parametrize("format", ["custom", "plain"])
@pytest.mark.parametrize("strings", ["on", "off"])
@pytest.mark.usefixtures("theirs")
def test_what_another_application_has_in_its_texts_is_no_file(
    site, dump, restore, monkeypatch, format, strings
):
    with monkeypatch.context() as patch:
        patch.setenv("PGOPTIONS", f"-c standard_conforming_strings={strings}")
        path = dump(f"--format={format}")
    if format == "plain":
        assert f"\nSET standard_conforming_strings = {strings};\n" in path.read_text()
    assert_it_comes_back(site, restore, f"--dump={path}")


@pytest.mark.parametrize(
    "options", [["--data-only"], ["--clean", "--create"], ["-b", "-t", "lo_*"]]
)
def test_what_else_a_dump_has_or_lacks_does_not_matter(site, dump, restore, options):
    path = dump("--format=plain", *options)
    (status, printed) = restore(name("march"), f"--dump={path}")
    assert (status, "nothing is to be done" in printed) == (0, True)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--format=custom", "-B"], "has no large objects: it was made with -B"),
        (["--format=custom", "--inserts"], "made with --inserts"),
        (["--format=plain", "--inserts"], "made with --inserts"),
    ],
)
def test_a_dump_that_does_not_do_is_refused(dump, restore, options, says):
    path = dump(*options)
    status, printed = restore(name("march"), f"--dump={path}")
    assert (status, says in printed) == (2, True), printed


def test_a_dump_of_a_newer_version_is_refused(dump, restore):
    path = dump("--format=custom")
    with path.open("r+b") as file:
        file.seek(len("PGDMP") + 1)  # where the minor version of the format is
        file.write(b"\x63")
    status, printed = restore(name("march"), f"--dump={path}")
    assert status == 2
    assert "unsupported version (1.99) in file header. The program must be as new" in printed


def test_something_else_is_no_dump(restore, tmp_path):
    (tmp_path / "letter").write_text("Dear Alice")
    status, printed = restore(name("march"), f"--dump={tmp_path}/letter")
    assert (status, "does not appear to be a valid archive" in printed) == (2, True)


def test_of_many_files_only_their_group_is_read(site, dump, restore, tmp_path):
    """pg_dump of 17 and newer makes groups of a thousand."""
    with site.connect() as session:
        session.execute("select lo_from_bytea(0, 'x') from generate_series(1, 1000)")
    path = dump("--format=directory")
    groups = sorted(path.glob("blobs_*.toc"))
    assert len(groups) == 2
    groups[1].write_text("nothing that pg_restore could read\n")
    assert restore(name("march"), f"--dump={path}", f"--output={tmp_path}/out")[0] == 0
    assert (tmp_path / "out" / name("march")).read_bytes() == MARCH


@pytest.fixture
def physical(site):
    """A function that takes a physical backup, starts a server on it, and returns its address."""
    run, started = site.server.run, []
    with tempfile.TemporaryDirectory(prefix="physical-", dir="/tmp") as directory:
        site.own(directory)
        data = Path(directory) / "data"

        def start():
            source = [f"--host={site.socket}", "--port=5432", "--username=postgres"]
            run("pg_basebackup", f"--pgdata={data}", *source, "--checkpoint=fast", "--no-sync")
            started.append(data)
            options = f"-k {directory} -p 5433 {OPTIONS} -c archive_mode=off"
            log = f"--log={directory}/log"
            run("pg_ctl", "start", f"--pgdata={data}", f"--options={options}", log)
            return f"host={directory} port=5433 dbname=app"

        yield start
        for data in started:
            run("pg_ctl", "stop", f"--pgdata={data}", "--mode=immediate")


def test_what_is_lost_comes_back_out_of_a_physical_backup(site, physical, restore, tmp_path):
    server = physical()
    assert_it_comes_back(site, restore, f"--from={server} user=postgres")
    deleted = name("april")
    documents.get(title="april").delete()
    status, printed = restore(deleted, f"--from={server} user=app", "--apply")
    assert (status, "no row names it" in printed) == (1, True)
    status, printed = restore(deleted, f"--from={server} user=app", f"--output={tmp_path}/out")
    assert (status, (tmp_path / "out" / deleted).read_bytes()) == (0, b"april")


PAGE = ROOT / "docs/restoring.md"


def test_the_commands_of_the_page(site, dump, restore, tmp_path, monkeypatch):
    """In its order, on a file of the site's in place of 16418.pdf."""
    monkeypatch.chdir(tmp_path)
    dump("--format=custom").rename(tmp_path / "papers.dump")
    monkeypatch.setenv("PATH", f"{site.server.programs}:{os.environ['PATH']}")
    ours = name("march")
    shown = [block.content for block in blocks(PAGE) if block.kind == "text"]
    printed = []
    lines = [
        line.removeprefix("$ ").replace("16418.pdf", ours).replace("march.pdf", "march.txt")
        for block in blocks(PAGE)
        if block.kind == "console"
        for line in block.content.splitlines()
    ]
    lose(site)
    for line in lines:
        if line.startswith("python manage.py lo_restore") and "--from" not in line:
            out = StringIO()
            call_command(*shlex.split(line)[2:], stdout=out, stderr=out)
            printed.append(out.getvalue().replace(ours, "16418.pdf"))
        elif line.startswith("pg_restore"):
            found = subprocess.run(line, shell=True, check=True, capture_output=True, text=True)
            assert re.match(rf"\d+\t{ours}\tmarch\.txt\t10000\t", found.stdout)
    assert printed[1] == shown[0]
    assert check(verify=True) == (0, [])
    assert (tmp_path / "restored" / ours).read_bytes() == MARCH
    options = {word for line in lines for word in re.findall(r"--[a-z-]+", line)}
    assert {"--apply", "--dump", "--from", "--missing", "--output", "--verify"} <= options
