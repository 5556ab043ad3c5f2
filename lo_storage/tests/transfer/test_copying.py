"""Files that go to another storage, from the library or from where they were before."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction

from lo_storage.models import LargeObject
from lo_storage.transfer import rows

from ..commands import run
from .conftest import THEN
from .steps import content_of

COLUMN = "lo_storage_tests.Letter.scan"
DATA = "lo_storage_tests.Letter.data"
CONTENTS = {"a letter.pdf": b"a letter", "b/empty": b"", "b/large.bin": bytes(range(256)) * 4096}


@pytest.fixture
def other(tmp_path):
    """The folder that gets the files."""
    folder = tmp_path / "other"
    folder.mkdir()
    return folder


@pytest.fixture
def field_has_the_other(letters, other, monkeypatch):
    """The field has its files in the other folder by now."""
    monkeypatch.setattr(letters._meta.get_field("scan"), "storage", FileSystemStorage(other))


@pytest.fixture
def scan(letters, folder):
    """A function that makes a row whose file is in the folder."""

    def scan(name="a letter.pdf", content=b"content"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return letters.objects.create(scan=name)

    return scan


class Cutting(FileSystemStorage):
    """Loses the end of a file."""

    def _save(self, name, content):
        return super()._save(name, ContentFile(content.read()[:-1]))


class Naming(FileSystemStorage):
    """Has files under other names than they are given."""

    def _save(self, name, content):
        return super()._save(f"named/{name}", content)


def copy(source, target, command="lo_import", **options):
    return run(
        command, column=COLUMN, **{"from": str(source), "to": str(target), "jobs": 1} | options
    )


def files_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def names(letters):
    return list(letters.objects.order_by("pk").values_list("scan", flat=True))


@pytest.mark.parametrize("command", ["lo_import", "lo_export"])
@pytest.mark.parametrize("jobs", [1, 4])
def test_each_file_has_its_name_there_too_and_is_copied_once(
    scan, letters, folder, other, command, jobs
):
    for name, content in CONTENTS.items():
        scan(name, content)
    scan("a letter.pdf", b"a letter")  # Two rows of one file.
    before = names(letters)
    printed = copy(folder, other, command, jobs=jobs)
    assert printed in ("Moved: 3. Not moved: 0.\n", "Moved: 4. Not moved: 0.\n")
    assert files_of(folder) == files_of(other) == CONTENTS
    assert names(letters) == before
    assert copy(folder, other, command, jobs=jobs) == "Moved: 0. Not moved: 0.\n"
    assert LargeObject.objects.count() == 0


def test_a_copy_has_the_time_of_the_file(letter, folder, other):
    letter("a.pdf")
    printed = run("lo_import", column=DATA, **{"from": str(folder), "to": str(other)})
    assert printed == "Moved: 1. Not moved: 0.\n"
    assert (other / "a.pdf").stat().st_mtime == THEN.timestamp()


def test_it_goes_on_where_it_ended(scan, folder, other):
    scan("first.pdf", b"first")
    scan("second.pdf", b"second")
    (folder / "second.pdf").rename(folder / "elsewhere.pdf")
    with pytest.raises(CommandError, match=r"^Moved: 1\. Not moved: 1\.$"):
        copy(folder, other)
    (folder / "elsewhere.pdf").rename(folder / "second.pdf")
    (folder / "first.pdf").unlink()  # It is in the other place.
    assert copy(folder, other, dry_run=True) == "Would be moved: 1. Not moved: 0.\n"
    assert copy(folder, other) == "Moved: 1. Not moved: 0.\n"
    assert files_of(other) == {"first.pdf": b"first", "second.pdf": b"second"}


def test_another_file_of_the_name_is_told_and_neither_is_touched(scan, letters, folder, other):
    row = scan("a.pdf", b"content")
    (other / "a.pdf").write_bytes(b"con")
    with pytest.raises(CommandError, match=r"^Moved: 0\. Not moved: 1\.$"):
        copy(folder, other)
    row.refresh_from_db()
    assert row.scan.name == "a.pdf"
    assert (files_of(folder), files_of(other)) == ({"a.pdf": b"content"}, {"a.pdf": b"con"})


def test_the_source_goes_when_it_was_asked_for_and_the_field_has_the_other_storage(
    scan, letters, folder, other, monkeypatch
):
    field = letters._meta.get_field("scan")
    scan("a.pdf", b"content")
    scan("b.pdf", b"elsewhere")
    letters.objects.create(data="b.pdf")  # Another column has its files there still.
    monkeypatch.setattr(field, "storage", FileSystemStorage(folder))
    assert copy(folder, other) == "Moved: 2. Not moved: 0.\n"
    with pytest.raises(
        CommandError, match="does not have its files in the new storage yet"
    ) as raised:
        copy(folder, other, delete_source=True)
    assert raised.value.returncode == 2
    monkeypatch.setattr(field, "storage", FileSystemStorage(other))
    assert copy(folder, other, delete_source=True) == "Moved: 2. Not moved: 0.\n"
    assert files_of(folder) == {"b.pdf": b"elsewhere"}
    assert files_of(other) == {"a.pdf": b"content", "b.pdf": b"elsewhere"}
    assert copy(folder, other, delete_source=True).endswith("Not moved: 0.\n")
    assert files_of(other) == {"a.pdf": b"content", "b.pdf": b"elsewhere"}


@pytest.mark.parametrize("spelling", ["./a.pdf", "b/../a.pdf"])
def test_a_source_is_kept_that_a_row_names_otherwise_and_was_not_moved(
    scan, letters, folder, other, field_has_the_other, spelling
):
    row = scan("a.pdf")
    letters.objects.create(data=spelling)
    assert copy(folder, other, delete_source=True) == "Moved: 1. Not moved: 0.\n"
    row.refresh_from_db()
    assert files_of(folder) == files_of(other) == {"a.pdf": b"content"}


def test_what_cannot_be_read_again_as_it_was_is_told_and_the_source_kept(
    scan, folder, other, field_has_the_other, settings
):
    settings.STORAGES = settings.STORAGES | {
        "cutting": {"BACKEND": f"{__name__}.Cutting", "OPTIONS": {"location": str(other)}}
    }
    scan("a.pdf")
    with pytest.raises(CommandError, match=r"^Moved: 0\. Not moved: 1\.$"):
        copy(folder, "cutting", delete_source=True)
    assert (files_of(folder), files_of(other)) == ({"a.pdf": b"content"}, {})


def test_a_row_names_what_the_other_storage_calls_its_file(
    scan, letters, folder, other, field_has_the_other, settings, monkeypatch
):
    settings.STORAGES = settings.STORAGES | {
        "naming": {"BACKEND": f"{__name__}.Naming", "OPTIONS": {"location": str(other)}}
    }
    monkeypatch.setattr(rows, "PAGE", 1)
    scan("a.pdf")
    scan("a.pdf")  # It is copied once more.
    assert copy(folder, "naming", delete_source=True) == "Moved: 2. Not moved: 0.\n"
    assert {files_of(other)[name] for name in names(letters)} == {b"content"}
    assert (len(set(names(letters))), files_of(folder)) == (2, {})
    assert copy(folder, "naming") == "Moved: 0. Not moved: 0.\n"


def test_an_upload_that_comes_meanwhile_is_kept_and_no_copy_of_the_old_file(
    scan, letters, folder, other, meddling, monkeypatch
):
    monkeypatch.setattr(letters._meta.get_field("scan"), "storage", FileSystemStorage(folder))
    row, shared = scan("a.pdf"), scan("shared.pdf")
    letters.objects.create(scan="shared.pdf")

    def upload(name):
        for one in letters.objects.filter(scan=name, pk__in=[row.pk, shared.pk]):
            one.scan = ContentFile(b"newer", "newer.pdf")
            one.save()

    meddling(upload)
    copy("meddling", other)
    meddling(lambda name: None)
    row.refresh_from_db()
    assert (folder / row.scan.name).read_bytes() == b"newer"
    assert files_of(other) == {"shared.pdf": b"content"}
    assert copy("meddling", other) == "Moved: 2. Not moved: 0.\n"
    assert files_of(other)[row.scan.name] == b"newer"


@pytest.mark.parametrize("delete_source", [True, False])
def test_a_folder_is_not_copied_to_itself(scan, letters, folder, tmp_path, meddling, delete_source):
    """By whatever name, and whatever class."""
    scan("a.pdf")
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(CommandError, match="both storages are the same"):
        copy("meddling", folder, delete_source=delete_source)
    assert files_of(folder) == {"a.pdf": b"content"}
    with pytest.raises(CommandError, match="both storages are the same") as raised:
        copy(folder, tmp_path / "link")
    assert raised.value.returncode == 2


def test_a_storage_that_cannot_be_written_to_says_so(scan, folder, tmp_path):
    scan("a.pdf")
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="the new storage cannot be used") as raised:
        copy(folder, tmp_path / "file" / "folder")
    assert raised.value.returncode == 2


def test_a_source_is_not_deleted_in_a_transaction(scan, folder, other):
    scan("a.pdf")
    with (
        pytest.raises(CommandError, match="is in a transaction"),
        transaction.atomic(),
    ):
        copy(folder, other, delete_source=True)
    assert files_of(other) == {}


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
    run("lo_export", column=DATA, to="overwriting", delete_source=True, jobs=jobs)
    for row in made:
        row.refresh_from_db()
    assert len({row.data.name for row in made}) == 100
    assert [(folder / row.data.name).read_bytes() for row in made] == [
        b"%d" % n for n in range(100)
    ]


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
    printed = run("lo_export", column=DATA, to=str(folder), delete_source=True)
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
            call_command("lo_export", DATA, to=str(folder), stdout=printed)
    assert "nobody can tell whether it names its copy letters/a.pdf, which is kept" in (
        printed.getvalue()
    )
    assert (folder / "letters" / "a.pdf").read_bytes() == b"content"
    assert content_of(row) == b"content"


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
        run("lo_export", column=DATA, to=str(folder), delete_source=True, jobs=1)
    row.refresh_from_db()
    assert row.data.name.partition(".")[0] == number
    assert [path for path in folder.rglob("*") if path.is_file()] == []
