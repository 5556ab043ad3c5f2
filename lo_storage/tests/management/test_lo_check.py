import json
import re
from datetime import timedelta
from hashlib import sha256
from io import StringIO

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone

from lo_storage.management.commands import lo_check
from lo_storage.models import LargeObject
from lo_storage.storage import db_file_storage

from ..databases import sql
from ..models import Attachment, Document

DATA = "lo_storage_tests.Document.data"

pytestmark = pytest.mark.usefixtures("nothing_of_other_tests")


def check(**options):
    """Return (exit status, what was found but of the server, the last line)."""
    out, err = StringIO(), StringIO()
    try:
        call_command("lo_check", json=True, stdout=out, stderr=err, **options)
        status, last = 0, err.getvalue().strip()
    except CommandError as error:
        status, last = error.returncode, str(error)
    found = [json.loads(line) for line in out.getvalue().splitlines()]
    return status, [finding for finding in found if finding["kind"] != "server"], last


def kinds(found):
    return [(finding["kind"], finding["name"]) for finding in found]


@pytest.fixture
def row(installed_documents, save):
    """A function that stores a file and the row that names it, and returns the stored name."""

    def make(content=b"content"):
        return Document.objects.create(data=save(content)).data.name

    return make


@pytest.fixture
def without_reference(installed_documents):
    """The foreign key is gone, and comes back; so a row may name anything."""
    reference = Document._meta.constraints[0]
    sql(f"alter table lo_storage_tests_document drop constraint {reference.name}")
    yield
    sql(
        f"drop trigger {reference.name}_release on lo_storage_tests_document",
        f"drop index {reference.name}_idx",
    )
    Document.objects.all().delete()
    with connection.schema_editor() as editor:
        editor.add_constraint(Document, reference)


def test_what_is_whole_is_whole(row, save):
    row(), row(b""), row(b"x" * 3_000_000)
    Document.objects.create()
    save()  # which no row names yet, and lo_clean would find
    status, found, last = check(verify=True)
    assert (status, found) == (0, [])
    assert re.fullmatch(r"Files: 4\. Errors: 0\. Warnings: \d\. Not looked at: 0\.", last)


def test_nothing_is_whole(installed_documents):
    status, found, last = check(verify=True)
    assert (status, found) == (0, [])
    assert last.startswith("Files: 0. Errors: 0.")


def test_a_line_says_what_where_and_what_mends_it(row, without_reference):
    row()
    sql("insert into lo_storage_tests_document (title, data) values ('', '4000000000.pdf')")
    pk = Document.objects.get(data="4000000000.pdf").pk
    with pytest.raises(CommandError) as raised:
        call_command("lo_check", stdout=(out := StringIO()))
    assert raised.value.returncode == 1
    assert str(raised.value).startswith("Files: 1. Errors: 2.")
    assert (
        f"error: {DATA}, row {pk}: names 4000000000.pdf, which the catalogue does not have. Bring"
        " it back from a backup by manage.py lo_restore 4000000000.pdf, or make the row name"
        " nothing: manage.py lo_mend rows\n"
    ) in out.getvalue()


def test_a_row_that_names_what_is_not_there(row, without_reference, large_objects):
    row()
    with connection.cursor() as cursor:
        cursor.execute("select lo_from_bytea(0, 'abc')")
        (loid,) = cursor.fetchone()
    known = LargeObject.objects.get().name
    other = f"{known.partition('.')[0]}.PDF"
    Document.objects.bulk_create(
        Document(data=name) for name in ["4000000000.pdf", f"{loid}.pdf", other, "march.pdf"]
    )
    sql("insert into lo_storage_tests_document (title, data) values ('', '')")
    status, found, _ = check()
    assert status == 1
    assert {finding["kind"] for finding in found} >= {"row-without-file", "row-not-adopted"}
    rows = [finding for finding in found if finding["row"]]
    assert {finding["name"]: finding["mend"] for finding in rows} == {
        "4000000000.pdf": "Bring it back from a backup by manage.py lo_restore 4000000000.pdf, or"
        " make the row name nothing: manage.py lo_mend rows",
        f"{loid}.pdf": "Adopt it: manage.py lo_adopt",
        other: f"The catalogue has the object as {known}: make the row name that",
        "march.pdf": "It is no name that the library gives: look on disk, and store the file here",
        "": "Adopt it: manage.py lo_adopt",
    }
    # What a row names is told with the row.
    assert "object-without-file" not in {finding["kind"] for finding in found}
    assert len(large_objects()) == 2


def test_a_row_of_a_table_that_no_model_describes(row):
    sql(
        "create table papers (a int, b int, data text, primary key (b, a))",
        "insert into papers values (1, 2, '4000000000.pdf')",
        "alter table papers add foreign key (data) references lo_storage_largeobject (name)"
        " deferrable initially deferred not valid",
    )
    try:
        _, found, _ = check()
    finally:
        sql("drop table papers")
    assert kinds(found) == [("reference", None), ("row-without-file", "4000000000.pdf")]
    assert (found[1]["where"], found[1]["row"]) == ("papers.data, row 2, 1", "2, 1")


def test_a_file_without_its_object(row):
    whole, lost = row(), row()
    sql(f"select lo_unlink({lost.partition('.')[0]})")
    status, found, _ = check()
    assert (status, kinds(found)) == (1, [("file-without-object", lost)])
    Document.objects.filter(data=lost).update(data=None)
    assert check()[:2] == (0, [])
    assert LargeObject.objects.get().name == whole


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 2048, b"x" * 5000])
@pytest.mark.parametrize("change", [-1, 1, 100_000])
def test_a_file_of_another_size(row, content, change):
    name = row(content)
    row()
    size = len(content) + change
    if size < 0:
        return
    loid = name.partition(".")[0]
    sql(f"select lo_close(fd) from (select lo_open({loid}, 131072) fd, lo_truncate64(0, {size})) x")
    status, found, _ = check()
    assert (status, kinds(found)) == (1, [("wrong-size", name)])
    assert f"says {len(content):,} bytes" in found[0]["what"]
    assert f"has {size:,}" in found[0]["what"]
    LargeObject.objects.filter(name=name).update(size=size)
    assert check()[:2] == (0, [])


def test_a_file_of_another_owner(row, somebody_else):
    ours, theirs = row(), row()
    somebody_else(theirs)
    status, found, _ = check(verify=True)
    assert (status, kinds(found)) == (1, [("wrong-owner", theirs)])
    assert LargeObject.objects.count() == 2
    assert ours != theirs


def test_an_object_that_was_ours(row, large_objects, guest):
    row()
    with connection.cursor() as cursor:
        cursor.execute("select lo_from_bytea(0, 'abc') from generate_series(1, 2)")
        lost, other = (str(loid) for (loid,) in cursor.fetchall())
        cursor.execute("create table others (loid oid)")
        cursor.execute("insert into others values (%s)", [other])
        cursor.execute(f"set role {guest}")
        cursor.execute("select lo_create(0)")
        cursor.execute("reset role")
    try:
        status, found, _ = check()
        assert (status, kinds(found)) == (1, [("object-without-file", lost)])
        sql(f"select lo_unlink({lost})")
        assert check()[:2] == (0, [])
    finally:
        sql("drop table others")


def test_a_content_of_the_same_length(row, save):
    small, large, whole = row(b"march"), row(b"x" * 20_000_000), row(b"y" * 20_000_000)
    sql(
        f"select lo_put({small.partition('.')[0]}, 1, 'A')",
        f"select lo_put({large.partition('.')[0]}, 19000000, 'y')",
    )
    assert check()[:2] == (0, [])
    status, found, _ = check(verify=True)
    assert (status, sorted(kinds(found))) == (
        1,
        sorted([("wrong-content", small), ("wrong-content", large)]),
    )
    assert whole not in {finding["name"] for finding in found}
    # More than one at once find the same.
    assert sorted(kinds(check(verify=True, jobs=4)[1])) == sorted(kinds(found))


def test_only_what_was_written_since(row):
    old, new = row(b"march"), row(b"april")
    for name in (old, new):
        sql(f"select lo_put({name.partition('.')[0]}, 1, 'A')")
    LargeObject.objects.filter(name=old).update(modified_at=timezone.now() - timedelta(days=3))
    yesterday = (timezone.now() - timedelta(days=1)).date().isoformat()
    assert kinds(check(verify=True, since=lo_check._time(yesterday))[1]) == [("wrong-content", new)]


def test_a_sample_is_some_of_them(row):
    for number in range(200):
        row(b"%d" % number)
    sql("select lo_put(loid, 0, 'x') from lo_storage_largeobject")
    found = len(check(verify=True, sample=0.25)[1])
    assert 10 < found < 110
    assert len(check(verify=True)[1]) == 200


def test_what_is_unknown_is_recorded_where_that_is_asked_for(row):
    name = row(b"march")
    large = row(b"x" * 9_000_000)
    LargeObject.objects.update(sha256=None)
    assert check(verify=True)[:2] == (0, [])
    assert set(LargeObject.objects.values_list("sha256", flat=True)) == {None}
    assert check(verify=True, record=True)[:2] == (0, [])
    assert LargeObject.objects.get(name=name).sha256 == sha256(b"march").hexdigest()
    assert LargeObject.objects.get(name=large).sha256 == sha256(b"x" * 9_000_000).hexdigest()
    sql(f"select lo_put({large.partition('.')[0]}, 7, 'y')")
    assert kinds(check(verify=True)[1]) == [("wrong-content", large)]


def test_nothing_is_written(row, round_trips):
    row()
    with round_trips as statements:
        check(verify=True, jobs=1)
    assert "set transaction read only" in statements
    for statement in statements:
        assert not re.match(r"\s*(insert|update|delete|alter|create|drop)", statement, re.I)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sample": 0.5}, "are about --verify"),
        ({"record": True}, "are about --verify"),
        ({"since": timezone.now()}, "are about --verify"),
    ],
)
def test_options_that_need_another(installed_documents, options, words):
    status, _, last = check(**options)
    assert status == 2
    assert words in last


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--since=yesterday"], "a day or a time"),
        (["--since=2026-13-01"], "a day or a time"),
        (["--sample=0"], "more than 0"),
        (["--sample=many"], "more than 0"),
        (["--jobs=0"], "from 1 to 64"),
        (["--jobs=65"], "from 1 to 64"),
        (["--database=nowhere"], "invalid choice"),
    ],
)
def test_arguments_that_say_nothing(installed_documents, arguments, words):
    with pytest.raises(CommandError, match=words):
        call_command("lo_check", *arguments)


def test_a_share_is_in_percent():
    assert lo_check._share("5%") == 0.05
    assert lo_check._share("100") == 1


def test_rows_in_another_database_are_not_taken_for_none(save, rows_elsewhere):
    status, found, last = check()
    assert (status, found) == (2, [])
    assert "rows of lo_storage_tests" in last


def test_a_table_that_is_not_there_or_may_not_be_read(row, guest):
    row()
    sql("alter table lo_storage_tests_document rename to elsewhere")
    try:
        # The foreign key is still there, and so its rows are looked at.
        status, found, _ = check()
    finally:
        sql("alter table elsewhere rename to lo_storage_tests_document")
    assert (status, [finding["where"] for finding in found]) == (
        2,
        [DATA, "lo_storage_tests.Document.scan"],
    )
    sql(f"grant select on lo_storage_largeobject to {guest}", f"set role {guest}")
    try:
        _, found, _ = check(jobs=1)
    finally:
        sql("reset role", f"revoke select on lo_storage_largeobject from {guest}")
    assert {finding["what"] for finding in found if finding["level"] == "unknown"} == {
        "this role may not read it"
    }


def test_a_database_that_does_not_answer_is_no_traceback(row, monkeypatch):
    def refuse(alias):
        raise OperationalError("connection refused\n")

    monkeypatch.setattr(lo_check, "check_server", refuse)
    assert check()[::2] == (2, "could not look: connection refused")


def test_a_catalogue_that_is_not_there_is_no_traceback(row):
    sql("alter table lo_storage_largeobject rename to elsewhere")
    try:
        status, found, last = check()
    finally:
        sql("alter table elsewhere rename to lo_storage_largeobject")
    assert (status, found) == (2, [])
    assert "lo_storage_largeobject" in last


def test_it_can_be_interrupted(row, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    row()
    monkeypatch.setattr(lo_check, "check_files", interrupt)
    assert check()[::2] == (130, "interrupted before its end")
    assert not connection.in_atomic_block


def test_who_reads_the_first_lines_alone_sees_no_traceback(row, monkeypatch):
    class Closed(StringIO):
        def write(self, text):
            raise BrokenPipeError

    sql(f"select lo_unlink({row().partition('.')[0]})")
    silenced = []
    monkeypatch.setattr(lo_check.os, "dup2", lambda *files: silenced.append(files))
    with pytest.raises(SystemExit) as raised:
        call_command("lo_check", stdout=Closed())
    assert (raised.value.code, len(silenced)) == (141, 1)


def test_a_warning_is_no_error_until_that_is_asked_for(row, monkeypatch):
    warning = lo_check.Finding("warning", "tested", "the server", "is tired", "Let it rest")
    monkeypatch.setattr(lo_check, "check_server", lambda alias: [warning])
    assert check()[0] == 0
    assert check(fail_level="WARNING")[0] == 1


def test_files_that_come_and_go_meanwhile_are_whole(row, monkeypatch):
    """Between any two statements another session may do anything that keeps the promise."""
    names = [row(b"%d" % number) for number in range(3)]
    parts = lo_check.parts

    def meanwhile(alias):
        found = parts(alias)
        Document.objects.filter(data=names[1]).delete()
        db_file_storage.save("new.txt", ContentFile(b"new"))
        return found

    monkeypatch.setattr(lo_check, "parts", meanwhile)
    assert check()[:2] == (0, [])


def test_another_table_s_files_are_not_lost(row, save):
    Attachment.objects.create(data=save())
    assert check()[:2] == (0, [])
