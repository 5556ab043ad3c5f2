"""The files of an exported folder come back."""

from io import StringIO

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import connection

from lo_storage.models import LargeObject
from lo_storage.transfer import bags

from ..commands import run
from ..models import contents


@pytest.fixture
def made(letters):
    """Two rows, and another that names the file of the first."""
    first, second = (
        letters.objects.create(data=ContentFile(content, "a.pdf")) for content in (b"one", b"two")
    )
    return [first, second, letters.objects.create(data=first.data.name)]


@pytest.fixture
def out(made, tmp_path):
    """Their export."""
    folder = tmp_path / "out"
    run("lo_export", all=str(folder))
    return folder


def lo_import(folder, **options):
    return run("lo_import", all=str(folder), **options)


def lose(letters):
    letters.objects.update(data=None)
    LargeObject.objects.all().delete()


def test_a_file_of_two_rows_is_one_again(out, made, letters):
    lose(letters)
    assert lo_import(out, dry_run=True) == "Would be moved: 3. Not moved: 0.\n"
    assert LargeObject.objects.count() == 0
    assert lo_import(out) == "Moved: 3. Not moved: 0.\n"
    assert contents(made) == [b"one", b"two", b"one"]
    assert made[0].data.name == made[2].data.name
    assert LargeObject.objects.count() == 2


def test_a_row_that_names_what_is_lost_names_it_again(out, made, letters):
    LargeObject.objects.all().delete()
    assert lo_import(out) == "Moved: 3. Not moved: 0.\n"
    assert contents(made) == [b"one", b"two", b"one"]


def test_what_came_since_is_kept(out, made, letters):
    newer = letters.objects.create(data=ContentFile(b"newer", "b.pdf"))
    letters.objects.filter(pk=made[0].pk).update(data=newer.data.name)
    made[1].delete()
    with pytest.raises(CommandError, match=r"^Moved: 0\. Not moved: 2\.$") as raised:
        lo_import(out)
    assert raised.value.returncode == 1
    assert contents([made[0], made[2]]) == [b"newer", b"one"]


def test_nothing_is_written_of_a_bag_that_is_not_whole(out, made, letters):
    lose(letters)
    (path,) = (out / f"data/lo_storage_tests.Letter/data/{made[1].pk}").iterdir()
    path.write_bytes(b"TWO")
    with pytest.raises(CommandError, match=r"is not what it was.* Nothing was changed") as raised:
        lo_import(out)
    assert raised.value.returncode == 2
    assert LargeObject.objects.count() == 0


@pytest.mark.parametrize("new", [",x,", ",\xff,"])
def test_an_index_that_fits_no_file_is_refused(out, letters, new):
    text = (out / "index.csv").read_text()
    assert ",3," in text
    (out / "index.csv").write_bytes(text.replace(",3,", new).encode("latin-1"))
    bags.close(out, 6, 2, {})
    lose(letters)
    with pytest.raises(CommandError, match="Nothing was changed") as raised:
        lo_import(out)
    assert raised.value.returncode == 2
    assert LargeObject.objects.count() == 0


def test_a_folder_that_is_no_bag_is_refused(letters, tmp_path):
    with pytest.raises(CommandError, match="has no bag-info") as raised:
        lo_import(tmp_path)
    assert raised.value.returncode == 2


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (",Letter,", ",Nothing,", "there is no such file field"),
        (",data,data/", ",title,data/", "there is no such file field"),
        (",data,data/", ",scan,data/", "keeps its files elsewhere"),
        ("lo_storage_tests,Letter,", "lo_storage_tests,Letter,x", "there is no such row"),
    ],
)
def test_an_index_that_fits_no_model_is_told_line_by_line(out, letters, old, new, words):
    index = (out / "index.csv").read_text()
    assert old in index
    (out / "index.csv").write_text(index.replace(old, new))
    for name in ("bag-info.txt", "bagit.txt", "tagmanifest-sha256.txt"):
        (out / name).unlink()
    bags.close(out, 6, 2, {})
    printed = StringIO()
    with pytest.raises(CommandError, match=r"^Moved: 0\. Not moved: 3\.$"):
        call_command("lo_import", all=str(out), stdout=printed, stderr=printed)
    lines = printed.getvalue().splitlines()
    assert [words in line for line in lines] == 3 * [True]


def test_a_row_that_the_database_refuses_stops_no_other(out, made, letters):
    lose(letters)
    with connection.cursor() as cursor:
        cursor.execute(
            "alter table lo_storage_tests_letter add constraint other"
            f" check (id <> {made[1].pk} or data is null)"
        )
    with pytest.raises(CommandError, match=r"^Moved: 2\. Not moved: 1\.$"):
        lo_import(out)
    assert LargeObject.objects.count() == 1
