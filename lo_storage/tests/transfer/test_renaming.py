"""What becomes of a row that changes, goes or is held while its file is moved."""

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError
from django.db import transaction

from lo_storage.models import LargeObject
from lo_storage.transfer import rows

from ..commands import run
from .steps import COLUMN, content_of, lo_import


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
