"""The command that brings files out, and with --all the way there and back."""

import csv
import os
import subprocess
from datetime import UTC, datetime

import pytest
from django.core.files.base import ContentFile

from lo_storage.models import LargeObject

from ..commands import run
from ..models import contents

COLUMN = "lo_storage_tests.Letter.data"
LARGE = bytes(range(256)) * 4096
NAMES = [
    *("march.pdf", "march.pdf", "Ünïcode – 100 % =1+1.txt", "a/../../etc/passwd", "..", "CON.txt"),
    *(
        "new\nline\r.txt",
        "x" * 300 + ".tar.gz",
        "-rf",
        "'quoted",
        "back\\slash:*?.pdf",
        "\u202egpj.exe",
    ),
]


@pytest.fixture
def rows(letters):
    """Rows of several files, of two fields."""
    made = [
        letters.objects.create(data=ContentFile(f"content {n}".encode(), "x.pdf"))
        for n in range(len(NAMES))
    ]
    for row, name in zip(made, NAMES, strict=True):
        LargeObject.objects.filter(name=row.data.name).update(original_name=name)
    made.append(letters.objects.create(data=ContentFile(LARGE, "large.bin")))
    made.append(letters.objects.create(data=ContentFile(b"", "empty")))
    letters.objects.create(data=None)
    return made


def known(rows):
    fields = ("original_name", "size", "sha256", "created_at", "modified_at")
    entries = [LargeObject.objects.values_list(*fields).get(name=row.data.name) for row in rows]
    return [(os.path.basename(name), *others) for name, *others in entries]


def test_files_go_out_under_their_names_with_their_times(letters, tmp_path):
    then = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    files = {"a letter.pdf": b"a letter", "large.bin": LARGE}
    made = [letters.objects.create(data=ContentFile(data, name)) for name, data in files.items()]
    LargeObject.objects.update(modified_at=then)
    assert run("lo_export", column=COLUMN, to=str(tmp_path)) == "Moved: 2. Not moved: 0.\n"
    for row in made:
        row.refresh_from_db()
    assert [row.data.name for row in made] == ["letters/a_letter.pdf", "letters/large.bin"]
    for row, content in zip(made, files.values(), strict=True):
        path = tmp_path / row.data.name
        assert (path.read_bytes(), path.stat().st_mtime) == (content, then.timestamp())
    assert LargeObject.objects.count() == 2
    assert run("lo_export", column=COLUMN, to=str(tmp_path)) == "Moved: 0. Not moved: 0.\n"


def test_all_files_go_out_and_come_back(letters, rows, tmp_path):
    before, entries = contents(rows), known(rows)
    folder = tmp_path / "out"
    assert run("lo_export", all=str(folder)) == f"Moved: {len(rows)}. Not moved: 0.\n"
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "manifest-sha256.txt"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    with open(folder / "index.csv", newline="") as file:
        index = list(csv.DictReader(file))
    assert [(folder / line["path"]).read_bytes() for line in index] == before
    assert (folder / index[0]["path"]).name == "march.pdf"

    # The rows are there, and their files are not.
    letters.objects.exclude(data=None).update(data=None)
    LargeObject.objects.all().delete()
    assert run("lo_import", all=str(folder)) == f"Moved: {len(rows)}. Not moved: 0.\n"
    assert (contents(rows), known(rows)) == (before, entries)
    assert run("lo_import", all=str(folder)) == "Moved: 0. Not moved: 0.\n"
    assert LargeObject.objects.count() == len(rows)
