"""Which files an export has, and where."""

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError

from lo_storage.models import LargeObject
from lo_storage.storage import db_file_storage
from lo_storage.transfer import bags

from .steps import index, lo_export, made


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


def test_what_is_another_role_s_breaks_nothing(letters, out, somebody_else):
    mine, theirs = made(letters, b"mine", b"theirs")
    somebody_else(theirs.data.name)
    with pytest.raises(CommandError, match=r"^Moved: 1\. Not moved: 1\.$"):
        lo_export(out)
    assert [line["row"] for line in index(out)] == [str(mine.pk)]
