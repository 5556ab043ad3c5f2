"""What backups and superusers do to files: `lo_check` sees it, and what mends it mends it."""

import json
import os
import re
import shlex
import subprocess
from io import StringIO

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import InternalError, connections

from lo_storage.management.commands import lo_check
from lo_storage.management.commands.lo_mend import MENDS
from lo_storage.models import LargeObject
from lo_storage.tests.models import Document
from lo_storage.upkeep.finding import Finding

from .conftest import ALIAS
from .pages import ROOT, blocks

documents = Document.objects.using(ALIAS)
TABLES = ["--table=lo_storage_tests_document", "--table=lo_storage_largeobject"]


@pytest.fixture
def run(server):
    """A function that runs one of PostgreSQL's programs as the superuser, and may fail."""

    def run(program, *arguments):
        command = [server.server.programs / program, f"--host={server.socket}"]
        command += ["--username=postgres", *arguments]
        return subprocess.run(command, capture_output=True, text=True).returncode

    return run


@pytest.fixture
def copy(site):
    """An empty database beside the site's, for the alias to go to."""
    with site.connect("postgres") as session:
        session.execute("create database copy owner app")
    site.use("copy")
    yield site
    site.use("app")
    with site.connect("postgres") as session:
        session.execute("drop database copy with (force)")


@pytest.fixture
def break_page(copy):
    """A function that writes garbage over the block that has a page of a large object."""
    copy.make_tables()

    def break_page(title, page):
        with copy.connect("postgres") as session:
            path, block = session.execute(
                "select pg_relation_filepath('pg_largeobject'), (ctid::text::point)[0]::int"
                " from pg_largeobject where loid = %s and pageno = %s",
                [loid(title), page],
            ).fetchone()
        connections[ALIAS].close()
        copy.stop("fast")
        with open(copy.data / path, "r+b") as file:
            file.seek(block * 8192)
            file.write(b"\xff" * 8192)
        copy.start()

    return break_page


def check(**options):
    """Return the exit status, and (kind, title of the row) of what was found."""
    out = StringIO()
    try:
        call_command("lo_check", json=True, jobs=1, stdout=out, stderr=StringIO(), **options)
        status = 0
    except CommandError as error:
        status = error.returncode
    found = [json.loads(line) for line in out.getvalue().splitlines()]
    titles = dict(documents.values_list("data", "title"))
    return status, sorted(
        (finding["kind"], titles.get(finding["name"], finding["where"]))
        for finding in found
        if finding["kind"] != "server"
    )


def mend(kind, **options):
    out = StringIO()
    call_command("lo_mend", kind, apply=True, stdout=out, stderr=out, **options)


def loid(title):
    return LargeObject.objects.using(ALIAS).get(name=documents.get(title=title).data.name).loid


def test_rows_without_their_catalogue(copy, run, tmp_path):
    """--disable-triggers lets rows name what is not there, and so does a reader of the dump."""
    run("pg_dump", "--data-only", "--format=custom", f"--file={tmp_path}/dump", "app")
    copy.make_tables()
    options = ["--data-only", "--disable-triggers", "--dbname=copy", f"{tmp_path}/dump"]
    assert run("pg_restore", TABLES[0], *options) == 0
    assert check() == (1, [("row-without-file", title) for title in ("april", "empty", "march")])
    mend("rows")
    assert check(verify=True) == (0, [])
    assert set(documents.values_list("data", flat=True)) == {None}


def test_a_restore_that_fails_leaves_triggers_disabled(site, run, tmp_path):
    run("pg_dump", "--data-only", "--format=custom", f"--file={tmp_path}/dump", "app")
    options = ["--data-only", "--disable-triggers", "--exit-on-error", "--dbname=app"]
    for table in TABLES:
        assert run("pg_restore", table, *options, f"{tmp_path}/dump") == 1  # The rows are there.
    assert check() == (
        1,
        [("catalogue", "lo_storage_largeobject")] * 2
        + [("reference", "lo_storage_tests.Document.data")] * 2
        + [("reference", "lo_storage_tests.Document.scan")] * 2,
    )
    mend("references")
    assert check(verify=True) == (0, [])


def test_a_dump_without_large_objects(copy, run, tmp_path):
    run("pg_dump", "-B", "--format=custom", f"--file={tmp_path}/dump", "app")
    assert run("pg_restore", "--dbname=copy", f"{tmp_path}/dump") == 0
    assert check() == (1, [("file-without-object", title) for title in ("april", "empty", "march")])
    mend("files")
    assert check(verify=True) == (0, [])
    assert not LargeObject.objects.using(ALIAS).exists()


def test_a_restore_without_owners(copy, run, tmp_path):
    run("pg_dump", "--format=custom", f"--file={tmp_path}/dump", "app")
    assert run("pg_restore", "--no-owner", "--dbname=copy", f"{tmp_path}/dump") == 0
    with copy.connect("postgres") as session:
        session.execute("grant select on all tables in schema public to app")
    assert check() == (1, [("wrong-owner", title) for title in ("april", "empty", "march")])
    copy.use("copy", "postgres")
    mend("owners", owner="app")
    copy.use("copy")
    assert check(verify=True) == (0, [])


def test_a_restore_over_a_database_that_lives(site, run, tmp_path):
    run("pg_dump", "--format=custom", f"--file={tmp_path}/dump", "app")
    documents.create(title="may", data=ContentFile(b"may", "may.txt"))
    lost = loid("may")
    options = ["--clean", "--if-exists", "--dbname=app"]
    assert run("pg_restore", *options, f"{tmp_path}/dump") == 0
    assert check() == (1, [("object-without-file", f"large object {lost}")])
    mend("objects")
    assert check(verify=True) == (0, [])
    out = StringIO()
    call_command("lo_clean", hours=0, stdout=out, stderr=out)
    assert out.getvalue().startswith(f"{lost}\t3\t\n")


@pytest.mark.parametrize(
    ("pages", "found"),
    [
        ("pageno = 2", [("wrong-content", "march")]),
        ("pageno = 4", [("wrong-content", "march"), ("wrong-size", "march")]),
        ("true", [("wrong-content", "march"), ("wrong-size", "march")]),
    ],
)
def test_pages_that_are_lost(site, pages, found):
    with site.connect("postgres") as session:
        session.execute(f"delete from pg_largeobject where loid = {loid('march')} and {pages}")
    assert check(verify=True) == (1, found)


@pytest.mark.parametrize(("page", "times"), [(20, 1), (48, 2)])
def test_a_page_that_cannot_be_read(copy, break_page, page, times):
    """The others are read all the same; the last page, which has the size, in any case."""
    for title in ("april", "july"):
        documents.create(title=title, data=ContentFile(title.encode(), f"{title}.txt"))
        with copy.connect("postgres") as session:
            session.execute(f"select lo_put({loid(title)}, 0, 'A')")
    documents.create(title="june", data=ContentFile(os.urandom(100_000), "june.bin"))
    break_page("june", page)
    found = [("broken-content", "june")] * times
    found += [("wrong-content", title) for title in ("april", "july")]
    assert check(verify=True) == (1, found)
    with pytest.raises(InternalError, match="invalid page"):
        documents.get(title="june").delete()
    lost = loid("june")
    with copy.connect("postgres") as session, session.transaction():
        session.execute("set local zero_damaged_pages = on")
        session.execute("delete from lo_storage_tests_document where title = 'june'")
    # Without its last page it does not end at its size, and is taken for a stranger's.
    found[:times] = [("object-without-file", f"large object {lost}")] * (times - 1)
    assert check(verify=True) == (1, found)


PAGE = ROOT / "docs/checking.md"


def test_the_page_shows_what_is_printed(site, monkeypatch, settings):
    """On papers of the site's own, with the numbers of the page."""
    documents.get(title="april").delete()
    with site.connect("postgres") as session:
        session.execute(f"delete from pg_largeobject where loid = {loid('march')} and pageno = 4")
        session.execute("alter table lo_storage_tests_document disable trigger all")
        session.execute(
            "update lo_storage_tests_document set data = '16420.pdf' where title = 'empty'"
        )
        session.execute("alter table lo_storage_tests_document enable trigger all")
    monkeypatch.setattr(lo_check, "check_server", lambda alias: [])
    out = StringIO()
    with pytest.raises(CommandError) as raised:
        call_command("lo_check", jobs=1, stdout=out, stderr=StringIO())
    printed = f"{out.getvalue()}CommandError: {raised.value}\n"
    (march, empty) = (documents.get(title=title) for title in ("march", "empty"))
    for ours, theirs in [
        (march.data.name, "16418.pdf"),
        (f"row {empty.pk}:", "row 3:"),
        ("lo_storage_tests.Document", "papers.Paper"),
    ]:
        printed = printed.replace(ours, theirs)
    shown = [block.content for block in blocks(PAGE) if block.kind == "text"]
    assert printed == shown[1]


def test_the_commands_of_the_page_are_there(site):
    commands = [
        shlex.split(line.removeprefix("$ python manage.py "))
        for block in blocks(PAGE)
        if block.kind == "console"
        for line in block.content.splitlines()
    ]
    assert len(commands) >= 4
    for name, *arguments in commands:
        out = StringIO()
        jobs = {"jobs": 1} if name == "lo_check" else {}  # The alias is this thread's alone.
        call_command(name, *arguments, stdout=out, stderr=out, **jobs)
        assert re.search(r"Errors: 0\.|ended: 0\.", out.getvalue())


def test_the_page_has_each_kind_of_finding():
    sources = [path.read_text() for path in (ROOT / "lo_storage/upkeep").glob("*.py")]
    text = "".join(sources)
    first = r"(?:Finding\(\s*\"\w+\",\s*|kind, what.* = )"
    made = set(re.findall(rf"{first}\"([a-z-]+)\"", text))
    page = PAGE.read_text()
    (table,) = re.findall(r"^\| kind .*?\n\n", page, re.M | re.S)
    assert set(re.findall(r"^\| `(\w+)` \| ", page, re.M)) >= set(MENDS)
    assert set(re.findall(r"^\| `([a-z-]+)` \|", table, re.M)) == made
    keys = re.findall(r"`(\w+)`", "".join(re.findall(r"^(\| .*?) \|", page, re.M)))
    assert set(Finding._fields) <= set(keys)
