"""What becomes of rows and files while a column's files are moved."""

import os
import signal
from io import StringIO
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, connections, transaction

from lo_storage.models import LargeObject
from lo_storage.transfer import rows

from ..commands import run

COLUMN = "lo_storage_tests.Letter.data"


def lo_import(source, **options):
    return run("lo_import", column=COLUMN, **{"from": str(source), "jobs": 1} | options)


def content_of(row):
    row.refresh_from_db()
    with row.data.open() as file:
        return file.read()


def test_an_upload_that_comes_meanwhile_is_kept(letter, letters, meddling):
    first, second = letter("first.pdf"), letter("second.pdf", bytes(1_000_000))

    def upload(name):
        for row in letters.objects.filter(data=name):
            row.data = ContentFile(f"newer than {name}".encode(), "newer.pdf")
            row.save()

    meddling(upload)
    assert lo_import("meddling") == "Moved: 0. Not moved: 0.\n"
    assert content_of(first) == b"newer than first.pdf"
    assert content_of(second) == b"newer than second.pdf"
    assert LargeObject.objects.count() == 2
    assert lo_import("meddling") == "Moved: 0. Not moved: 0.\n"


def test_a_row_that_goes_meanwhile_leaves_no_file(letter, letters, meddling):
    letter("first.pdf")
    meddling(lambda name: letters.objects.filter(data=name).delete())
    assert lo_import("meddling") == "Moved: 0. Not moved: 0.\n"
    assert LargeObject.objects.count() == 0


def test_a_row_that_is_locked_for_long_is_told_and_the_others_move(
    letter, folder, other_session, monkeypatch, capsys
):
    monkeypatch.setattr(rows, "LOCK_TIMEOUT", "100ms")
    first, second = letter("first.pdf"), letter("second.pdf")
    with other_session.transaction():
        other_session.execute(
            "select from lo_storage_tests_letter where id = %s for update", [first.pk]
        )
        with pytest.raises(CommandError, match=r"^Moved: 1\. Not moved: 1\.$"):
            lo_import(folder)
        first.refresh_from_db()
        assert first.data.name == "first.pdf"
        assert content_of(second) == b"content"
    assert LargeObject.objects.count() == 1
    assert lo_import(folder) == "Moved: 1. Not moved: 0.\n"


def test_a_row_that_the_database_refuses_stops_no_other(letter, folder):
    made = [letter(f"{n}.pdf") for n in range(4)]
    with connection.cursor() as cursor:
        cursor.execute(
            "alter table lo_storage_tests_letter add constraint other"
            f" check (id <> {made[1].pk} or data = '1.pdf')"
        )
    with pytest.raises(CommandError, match=r"^Moved: 3\. Not moved: 1\.$"):
        lo_import(folder)
    assert [content_of(row) for row in made if row != made[1]] == 3 * [b"content"]
    made[1].refresh_from_db()
    assert made[1].data.name == "1.pdf"
    assert LargeObject.objects.count() == 3


def test_the_source_goes_if_no_row_names_it_and_it_was_asked_for(letter, letters, folder):
    shared = [letter("shared.pdf"), letter("shared.pdf")]
    elsewhere = letter("elsewhere.pdf")
    letters.objects.create(scan="elsewhere.pdf")
    assert lo_import(folder, delete_source=True) == "Moved: 3. Not moved: 0.\n"
    assert [content_of(row) for row in [*shared, elsewhere]] == 3 * [b"content"]
    assert [path.name for path in folder.iterdir()] == ["elsewhere.pdf"]


def test_a_name_that_both_have_is_nobodys_to_guess(letter, letters, folder):
    ours = letters.objects.create(data=ContentFile(b"ours", "ours.pdf"))
    row = letter(ours.data.name, b"theirs")
    with pytest.raises(CommandError, match=r"^Moved: 0\. Not moved: 2\.$"):
        lo_import(folder)
    row.refresh_from_db()
    assert row.data.name == ours.data.name


def test_ctrl_c_ends_it_after_what_was_begun(letter, folder, meddling):
    made = [letter(f"{n}.bin", bytes(1000)) for n in range(70)]
    meddling(lambda name: os.kill(os.getpid(), signal.SIGINT) if name == "40.bin" else None)
    with pytest.raises(CommandError, match="Interrupted") as raised:
        lo_import("meddling")
    assert raised.value.returncode == 130
    moved = LargeObject.objects.count()
    assert 40 < moved < 70
    meddling(lambda name: None)
    assert lo_import("meddling") == f"Moved: {70 - moved}. Not moved: 0.\n"
    assert {content_of(row) for row in made} == {bytes(1000)}


def test_a_dry_run_looks_and_changes_nothing(letter, folder):
    letter("first.pdf")
    letter("second.pdf")
    (folder / "second.pdf").unlink()
    with pytest.raises(CommandError, match=r"^Would be moved: 1\. Not moved: 1\.$"):
        lo_import(folder, dry_run=True)
    assert LargeObject.objects.count() == 0


class Overwriting(FileSystemStorage):
    """Overwrites what has the name, as storages of object stores do."""

    def get_available_name(self, name, max_length=None):
        return name

    def _save(self, name, content):
        Path(self.path(name)).parent.mkdir(exist_ok=True)
        Path(self.path(name)).write_bytes(content.read())
        return name


@pytest.mark.parametrize("jobs", [1, 4])
def test_files_of_one_name_are_two_where_a_storage_overwrites(letters, folder, settings, jobs):
    settings.STORAGES = settings.STORAGES | {
        "overwriting": {
            "BACKEND": f"{__name__}.Overwriting",
            "OPTIONS": {"location": str(folder)},
        }
    }
    made = [letters.objects.create(data=ContentFile(b"%d" % n, "a.pdf")) for n in range(100)]
    run("lo_export", column=COLUMN, to="overwriting", delete_source=True, jobs=jobs)
    for row in made:
        row.refresh_from_db()
    assert len({row.data.name for row in made}) == 100
    assert [(folder / row.data.name).read_bytes() for row in made] == [
        b"%d" % n for n in range(100)
    ]


def test_what_is_written_to_while_it_goes_out_is_not_named_as_it_was(
    letters, tmp_path, settings, meddling, folder
):
    row = letters.objects.create(data=ContentFile(b"content", "a.pdf"))

    def write(name):  # when the copy is read again
        with row.data.storage.open(row.data.name) as file:
            assert file.read() == b"content"
        with transaction.atomic(), row.data.storage.open(row.data.name, "r+b") as file:
            file.write(b"CONTENT")

    meddling(write)
    assert run("lo_export", column=COLUMN, to="meddling", jobs=1) == "Moved: 0. Not moved: 0.\n"
    assert content_of(row) == b"CONTENT"
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    meddling(lambda name: None)
    assert run("lo_export", column=COLUMN, to="meddling") == "Moved: 1. Not moved: 0.\n"
    assert (folder / "letters" / "a.pdf").read_bytes() == b"CONTENT"


def test_a_copy_is_kept_whose_commit_was_done_though_its_answer_was_lost(
    letters, folder, monkeypatch
):
    row = letters.objects.create(data=ContentFile(b"content", "a.pdf"))
    set_names, commit, lost = rows.Column._set, connection._commit, []

    def then_lose_the_answer(*args):
        set_names(*args)
        lost.append("next")

    def commit_without_an_answer():
        commit()
        if lost == ["next"]:
            lost.append("gone")
            raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(rows.Column, "_set", then_lose_the_answer)
    monkeypatch.setattr(connection, "_commit", commit_without_an_answer)
    printed = run("lo_export", column=COLUMN, to=str(folder), delete_source=True)
    assert (printed, lost) == ("Moved: 1. Not moved: 0.\n", ["next", "gone"])
    row.refresh_from_db()
    assert (folder / row.data.name).read_bytes() == b"content"
    assert LargeObject.objects.count() == 0


def test_a_copy_is_kept_and_told_where_nobody_can_tell_whether_it_is_named(
    letters, folder, other_session, monkeypatch
):
    monkeypatch.setattr(rows, "LOCK_TIMEOUT", "100ms")
    row = letters.objects.create(data=ContentFile(b"content", "a.pdf"))
    printed = StringIO()
    with other_session.transaction():
        other_session.execute(
            "select from lo_storage_tests_letter where id = %s for update", [row.pk]
        )
        with pytest.raises(CommandError, match=r"^Moved: 0\. Not moved: 1\.$"):
            call_command("lo_export", COLUMN, to=str(folder), stdout=printed)
    assert "nobody can tell whether it names its copy letters/a.pdf, which is kept" in (
        printed.getvalue()
    )
    assert (folder / "letters" / "a.pdf").read_bytes() == b"content"
    assert content_of(row) == b"content"


@pytest.mark.parametrize("autocommit", [True, False])
def test_a_source_is_not_deleted_in_a_transaction_that_may_be_rolled_back(
    letter, folder, autocommit
):
    row = letter("a.pdf")
    if autocommit:
        with (
            pytest.raises(CommandError, match="is in a transaction") as raised,
            transaction.atomic(),
        ):
            lo_import(folder, delete_source=True)
    else:
        transaction.set_autocommit(False)
        try:
            with pytest.raises(CommandError, match="is in a transaction") as raised:
                lo_import(folder, delete_source=True)
        finally:
            transaction.rollback()
            transaction.set_autocommit(True)
    assert raised.value.returncode == 2
    row.refresh_from_db()
    assert (row.data.name, (folder / "a.pdf").exists()) == ("a.pdf", True)
    with transaction.atomic():
        assert lo_import(folder) == "Moved: 1. Not moved: 0.\n"


@pytest.mark.parametrize("other", [b"the secret of a stranger", b"cut"])
def test_a_large_object_that_is_not_the_file_any_more_is_not_copied(
    nothing_of_other_tests, letters, folder, other
):
    row = letters.objects.create(data=ContentFile(b"content", "a.pdf"))
    with transaction.atomic(), row.data.storage.open(row.data.name, "r+b") as file:
        file.write(b"C")  # Its SHA-256 is unknown now.
    number = row.data.name.partition(".")[0]
    with connection.cursor() as cursor:
        cursor.execute("select lo_unlink(%s::oid)", [number])
        cursor.execute("select lo_from_bytea(%s::oid, %s)", [number, other])
    with pytest.raises(CommandError, match=r"^Moved: 0\. Not moved: 1\.$"):
        run("lo_export", column=COLUMN, to=str(folder), delete_source=True, jobs=1)
    row.refresh_from_db()
    assert row.data.name.partition(".")[0] == number
    assert [path for path in folder.rglob("*") if path.is_file()] == []


class Elsewhere:
    """A router that looks for the letters in another database."""

    def db_for_write(self, model, **hints):
        return "rows"

    db_for_read = db_for_write


def test_a_file_is_kept_that_a_row_of_another_database_names(
    letter, letters, folder, another_alias, settings
):
    another_alias("rows")
    letter("a.pdf")
    letters.objects.create(scan="a.pdf")
    settings.DATABASE_ROUTERS = [f"{__name__}.Elsewhere"]
    assert lo_import(folder, delete_source=True, database="default") == "Moved: 1. Not moved: 0.\n"
    assert (folder / "a.pdf").exists()


def test_a_file_is_kept_and_told_where_a_database_cannot_be_asked(
    letter, folder, another_alias, monkeypatch
):
    another_alias("gone", connect_timeout=1)
    monkeypatch.setitem(connections["gone"].settings_dict, "PORT", "1")
    row = letter("a.pdf")
    printed = StringIO()
    with pytest.raises(CommandError, match=r"^Moved: 1\. Not moved: 1\.$"):
        call_command(
            "lo_import", COLUMN, **{"from": str(folder)}, delete_source=True, stdout=printed
        )
    assert "a.pdf was moved, and is kept, because nobody can tell" in printed.getvalue()
    assert (content_of(row), (folder / "a.pdf").exists()) == (b"content", True)


def test_a_file_is_kept_and_told_while_somebody_writes_to_rows(
    letter, folder, other_session, monkeypatch
):
    monkeypatch.setattr(rows, "TABLE_TIMEOUT", "50ms")
    monkeypatch.setattr(rows, "TRIES", 2)
    letter("a.pdf")
    with other_session.transaction():
        other_session.execute(
            "insert into lo_storage_tests_letter (title, data, scan) values ('', 'a.pdf', '')"
        )
        with pytest.raises(CommandError, match=r"^Moved: 1\. Not moved: 1\.$"):
            lo_import(folder, delete_source=True)
    assert (folder / "a.pdf").exists()


@pytest.mark.parametrize(
    ("moved", "other"),
    [
        ("a.pdf", "./a.pdf"),
        ("./a.pdf", "a.pdf"),
        ("a.pdf", "b/../a.pdf"),
        ("a.pdf", "{folder}/a.pdf"),
        ("{folder}/a.pdf", "a.pdf"),
        ("b/a.pdf", "b//a.pdf"),
        ("a.pdf", "../media/a.pdf"),
    ],
)
def test_a_file_is_kept_that_a_row_names_otherwise(letters, folder, moved, other):
    (folder / "b").mkdir()
    (folder / "a.pdf").write_bytes(b"content")
    (folder / "b" / "a.pdf").write_bytes(b"content")
    row = letters.objects.create(data=moved.format(folder=folder))
    letters.objects.create(scan=other.format(folder=folder))
    assert lo_import(folder, delete_source=True) == "Moved: 1. Not moved: 0.\n"
    assert content_of(row) == b"content"
    assert [path.exists() for path in (folder / "a.pdf", folder / "b" / "a.pdf")] == [True, True]


@pytest.mark.parametrize("size", [10, 600_000])
def test_what_another_import_has_moved_and_deleted_is_no_error(letter, folder, meddling, size):
    row = letter("a.pdf", bytes(size))
    nested = []

    def move_it_first(name):
        if not nested:
            nested.append(name)
            assert lo_import(folder, delete_source=True) == "Moved: 1. Not moved: 0.\n"

    meddling(move_it_first)
    assert lo_import("meddling", delete_source=True) == "Moved: 0. Not moved: 0.\n"
    assert content_of(row) == bytes(size)
    assert LargeObject.objects.count() == 1
