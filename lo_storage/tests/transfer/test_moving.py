"""Which rows are moved, and how the whole comes to its end."""

import os
import signal

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError

from lo_storage.models import LargeObject

from .steps import content_of, lo_import


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
