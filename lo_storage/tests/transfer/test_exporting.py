"""All files of a database in a folder."""

import csv

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError
from django.db import connection

from lo_storage.models import LargeObject
from lo_storage.storage import db_file_storage
from lo_storage.transfer import bags, exporting

from ..commands import run


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def lo_export(folder, **options):
    return run("lo_export", all=str(folder), **options)


def index(folder):
    with open(folder / "index.csv", newline="") as file:
        return list(csv.DictReader(file))


def made(letters, *contents):
    return [letters.objects.create(data=ContentFile(data, "a.pdf")) for data in contents]


def test_each_file_is_there_once_whoever_names_it(letters, out):
    (row,) = made(letters, b"content")
    again = letters.objects.create(data=row.data.name)
    nobodys = db_file_storage.save("nobody's.txt", ContentFile(b"nobody's"))
    assert lo_export(out) == "Moved: 2. Not moved: 0.\n"
    found = index(out)
    assert [(line["app"], line["model"], line["field"], line["row"]) for line in found] == [
        ("lo_storage_tests", "Letter", "data", str(row.pk)),
        ("lo_storage_tests", "Letter", "data", str(again.pk)),
        ("", "", "", ""),
    ]
    assert [line["path"] for line in found] == [
        *2 * [f"data/lo_storage_tests.Letter/data/{row.pk}/a.pdf"],
        f"data/without a row/file {nobodys.partition('.')[0]}/nobody's.txt",
    ]
    bags.validate(out, lambda size: None)
    entry = LargeObject.objects.get(name=row.data.name)
    path = out / found[0]["path"]
    assert (path.read_bytes(), path.stat().st_mtime) == (
        b"content",
        pytest.approx(entry.modified_at.timestamp()),
    )


def test_no_file_is_a_bag_too(letters, out):
    assert lo_export(out) == "Moved: 0. Not moved: 0.\n"
    bags.validate(out, lambda size: None)


def test_what_was_interrupted_goes_on(letters, out, monkeypatch):
    monkeypatch.setattr(exporting, "PAGE", 1)
    first, second, _ = made(letters, b"first", b"second", b"third")
    exporting.begin(out)
    stops = iter([False, False, True])
    done = list(
        exporting.export_all("default", out, lambda size: None, stopped=lambda: next(stops))
    )
    assert len(done) == 2
    assert not (out / "bagit.txt").exists()
    old = out / f"data/lo_storage_tests.Letter/data/{first.pk}/a.pdf"
    inode = old.stat().st_ino
    gone = out / f"data/lo_storage_tests.Letter/data/{second.pk}/a.pdf"
    assert gone.exists()
    second.delete()
    LargeObject.objects.get(name=second.data.name).delete()
    assert lo_export(out) == "Moved: 2. Not moved: 0.\n"
    assert (old.stat().st_ino, gone.exists()) == (inode, False)
    bags.validate(out, lambda size: None)
    assert {path.name for path in out.iterdir()} == {
        *("bag-info.txt", "bagit.txt", "data", "index.csv"),
        *("manifest-sha256.txt", "tagmanifest-sha256.txt"),
    }


def test_a_file_that_is_lost_or_changed_is_told_and_the_others_are_there(
    letters, out, nothing_of_other_tests
):
    good, changed, lost, short = made(letters, b"good", b"content", b"lost", b"short")
    number = changed.data.name.partition(".")[0]
    with connection.cursor() as c:
        c.execute("select lo_put(%s::oid, 0, 'CONTENT')", [number])
        c.execute("select lo_unlink(%s::oid)", [lost.data.name.partition(".")[0]])
        c.execute(
            "select lo_truncate(lo_open(%s::oid, 131072), 2)", [short.data.name.partition(".")[0]]
        )
    with pytest.raises(CommandError, match=r"^Moved: 1\. Not moved: 3\.$") as raised:
        lo_export(out)
    assert raised.value.returncode == 1
    bags.validate(out, lambda size: None)
    assert [line["row"] for line in index(out)] == [str(good.pk)]


def test_what_is_another_role_s_breaks_nothing(letters, out, somebody_else):
    mine, theirs = made(letters, b"mine", b"theirs")
    somebody_else(theirs.data.name)
    with pytest.raises(CommandError, match=r"^Moved: 1\. Not moved: 1\.$"):
        lo_export(out)
    assert [line["row"] for line in index(out)] == [str(mine.pk)]


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


def interrupted(out, monkeypatch):
    """Let an export end after one file."""
    monkeypatch.setattr(exporting, "PAGE", 1)
    exporting.begin(out)
    stops = iter([False, True])
    list(exporting.export_all("default", out, lambda size: None, stopped=lambda: next(stops)))


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


def test_a_second_export_to_a_folder_waits_for_the_first(letters, out, monkeypatch):
    made(letters, b"first", b"second")
    monkeypatch.setattr(exporting, "PAGE", 1)
    exporting.begin(out)
    first = exporting.export_all("default", out, lambda size: None, stopped=lambda: False)
    next(first)
    with pytest.raises(CommandError, match="another lo_export writes to"):
        lo_export(out)
    assert len(list(first)) == 1
    bags.validate(out, lambda size: None)
