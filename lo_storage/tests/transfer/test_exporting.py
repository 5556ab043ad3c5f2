"""All files of a database in a folder."""

import pytest
from django.core.management import CommandError
from django.db import connection

from lo_storage.models import LargeObject
from lo_storage.transfer import bags, exporting, folders

from .steps import index, lo_export, made


def test_no_file_is_a_bag_too(letters, out):
    assert lo_export(out) == "Moved: 0. Not moved: 0.\n"
    bags.validate(out, lambda size: None)


def test_what_was_interrupted_goes_on(letters, out, monkeypatch):
    monkeypatch.setattr(exporting, "PAGE", 1)
    first, second, _ = made(letters, b"first", b"second", b"third")
    folders.begin(out)
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


def test_a_second_export_to_a_folder_waits_for_the_first(letters, out, monkeypatch):
    made(letters, b"first", b"second")
    monkeypatch.setattr(exporting, "PAGE", 1)
    folders.begin(out)
    first = exporting.export_all("default", out, lambda size: None, stopped=lambda: False)
    next(first)
    with pytest.raises(CommandError, match="another lo_export writes to"):
        lo_export(out)
    assert len(list(first)) == 1
    bags.validate(out, lambda size: None)
