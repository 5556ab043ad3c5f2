"""The command that brings files in."""

import hashlib
import os
from datetime import UTC, datetime

import pytest
from django.core.files.storage import FileSystemStorage
from django.core.management import CommandError
from django.db import connection

from lo_storage.models import LargeObject

from ..commands import run

COLUMN = "lo_storage_tests.Letter.data"
THEN = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "media"


@pytest.fixture
def letter(letters, folder):
    """A function that makes a row whose file is in the folder."""
    disk = FileSystemStorage(folder)

    def letter(name="letters/a letter.pdf", content=b"content"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (THEN.timestamp(), THEN.timestamp()))
        assert disk.exists(name)
        return letters.objects.create(data=name)

    return letter


def content_of(row):
    row.refresh_from_db()
    with row.data.open() as file:
        return file.read()


def entry_of(row):
    row.refresh_from_db()
    return LargeObject.objects.get(name=row.data.name)


def test_files_of_a_folder_come_in_with_their_names_and_times(letter, folder):
    contents = [b"", b"small", bytes(range(256)) * 1024, b"large" * 200_000]
    rows = [letter(f"letters/{n}/a letter.pdf", content) for n, content in enumerate(contents)]
    assert run("lo_import", column=COLUMN, **{"from": str(folder)}) == "Moved: 4. Not moved: 0.\n"
    for row, content in zip(rows, contents, strict=True):
        assert content_of(row) == content
        entry = entry_of(row)
        assert (entry.original_name, entry.size) == ("a letter.pdf", len(content))
        assert entry.sha256 == hashlib.sha256(content).hexdigest()
        assert (entry.created_at, entry.modified_at) == (THEN, THEN)
        assert entry.name == f"{entry.loid}.pdf"
    assert len(list(folder.rglob("*.pdf"))) == 4


def test_no_file_is_null_as_a_reference_asks_for(letter, letters, folder):
    letter("first.pdf")
    with connection.cursor() as c:  # Our own field would not.
        c.execute("insert into lo_storage_tests_letter (title, scan, data) values ('', '', '')")
    run("lo_import", column=COLUMN, **{"from": str(folder)})
    assert letters.objects.filter(data="").count() == 0
    assert letters.objects.filter(data=None).count() == 1


def test_it_goes_on_where_it_ended(letter, folder):
    first = letter("first.pdf", b"first")
    missing = letter("second.pdf", b"second")
    (folder / "second.pdf").rename(folder / "elsewhere.pdf")
    with pytest.raises(CommandError, match=r"^Moved: 1\. Not moved: 1\.$") as raised:
        run("lo_import", column=COLUMN, **{"from": str(folder)})
    assert raised.value.returncode == 1
    name = entry_of(first).name
    (folder / "elsewhere.pdf").rename(folder / "second.pdf")
    assert run("lo_import", column=COLUMN, **{"from": str(folder)}) == "Moved: 1. Not moved: 0.\n"
    assert (content_of(missing), entry_of(first).name) == (b"second", name)
    assert run("lo_import", column=COLUMN, **{"from": str(folder)}) == "Moved: 0. Not moved: 0.\n"
    assert LargeObject.objects.count() == 2
