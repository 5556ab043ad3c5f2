"""What is left alone in a folder, and what says why."""

import pytest
from django.core.management import CommandError

from lo_storage.transfer import bags, exporting, folders

from .steps import lo_export, made


def test_a_folder_with_something_else_is_left_alone(letters, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CommandError, match="is not empty") as raised:
        lo_export(tmp_path)
    assert raised.value.returncode == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_whole_export_is_left_alone(letters, out):
    lo_export(out)
    with pytest.raises(CommandError, match="has a whole export already"):
        lo_export(out)


def test_a_folder_that_cannot_be_made_says_so(letters, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="cannot be made") as raised:
        lo_export(tmp_path / "file" / "out")
    assert raised.value.returncode == 2


@pytest.mark.parametrize(
    "name", ["file.part", "index.csv.part", "manifest-sha256.txt.part", "lo_export.part"]
)
def test_a_folder_that_no_export_wrote_is_left_alone(letters, out, name):
    made(letters, b"content")
    (out / "data").mkdir(parents=True)
    (out / "data" / "mine.txt").write_text("mine")
    (out / name).write_text("mine")
    (out / "index.csv").write_text("mine")
    with pytest.raises(CommandError, match="has no export that was interrupted") as raised:
        lo_export(out)
    assert raised.value.returncode == 2
    assert {path.name: path.read_text() for path in out.rglob("*") if path.is_file()} == {
        **{"mine.txt": "mine", "index.csv": "mine", name: "mine"}
    }


def interrupted(out, monkeypatch):
    """Let an export end after one file."""
    monkeypatch.setattr(exporting, "PAGE", 1)
    folders.begin(out)
    stops = iter([False, True])
    list(exporting.export_all("default", out, lambda size: None, stopped=lambda: next(stops)))


@pytest.mark.parametrize("place", ["mine.txt", "data/mine.txt", "data/lo_storage_tests.Letter/x"])
def test_what_no_export_wrote_is_kept_and_told(letters, out, monkeypatch, place):
    made(letters, b"first", b"second")
    interrupted(out, monkeypatch)
    (out / place).write_text("mine")
    with pytest.raises(CommandError, match=f"{place} is of no export; take it out") as raised:
        lo_export(out)
    assert raised.value.returncode == 2
    assert (out / place).read_text() == "mine"
    assert not (out / "bagit.txt").exists()
    (out / place).unlink()
    assert lo_export(out) == "Moved: 2. Not moved: 0.\n"
    bags.validate(out, lambda size: None)
    assert not (out / "lo_export.part").exists()


def test_what_no_export_wrote_is_not_overwritten(letters, out, monkeypatch):
    _, second = made(letters, b"first", b"second")
    interrupted(out, monkeypatch)
    mine = out / f"data/lo_storage_tests.Letter/data/{second.pk}/a.pdf"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(CommandError, match="is of no export; take it out"):
        lo_export(out)
    assert mine.read_text() == "mine"
