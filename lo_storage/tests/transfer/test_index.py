"""The index of an exported folder."""

import csv
import re

import pytest

from lo_storage.transfer import bags
from lo_storage.transfer.bags import NotABag
from lo_storage.transfer.index import INDEX, Line, cells, check, lines, writer

LINE = Line("papers", "Paper", "12", "data", "data/a.pdf", "a.pdf", "16418.pdf", "3", "ab", "", "")
NAMES = ["=1+1", "+1", "-1", "@a", "\ta", "\ra", "'a", "'=1", "''", 'a "b", c\nd', "é", ""]


def write(folder, names):
    with open(folder / INDEX, "w", encoding="utf-8", newline="") as file:
        index = writer(file)
        for name in names:
            index.writerow(cells(LINE._replace(original_name=name)))


def test_what_is_written_is_read(tmp_path):
    write(tmp_path, NAMES)
    assert [line.original_name for line in lines(tmp_path)] == NAMES


def test_no_cell_is_a_formula(tmp_path):
    write(tmp_path, NAMES)
    with open(tmp_path / INDEX, encoding="utf-8", newline="") as file:
        begun = {cell[:1] for row in csv.reader(file) for cell in row}
    assert begun.isdisjoint("=+-@\t\r")


def test_times_are_read_where_they_are_some():
    line = LINE._replace(created_at="2001-02-03T04:05:06+00:00", modified_at="2001-99-99T00:00:00")
    created, modified = line.times()
    assert (str(created), modified) == ("2001-02-03 04:05:06+00:00", None)


HEAD = ",".join(Line._fields).encode() + b"\n"


@pytest.mark.parametrize(
    "data",
    [None, b"a,b\n", HEAD + b"1,2\n", HEAD + b"\xff\n", HEAD + b"a" * 200_000, b"\xff"],
)
def test_what_is_no_index_is_refused(tmp_path, data):
    if data is not None:
        (tmp_path / INDEX).write_bytes(data)
    with pytest.raises(NotABag, match=INDEX):
        list(lines(tmp_path))


@pytest.fixture
def bag(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.pdf").write_bytes(b"abc")
    write(tmp_path, ["a.pdf"])
    bags.close(tmp_path, 3, 1, {})
    return tmp_path


def test_an_index_fits_its_files(bag):
    check(bag)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (",3,ab", ",x,ab", "data/a.pdf has 3 bytes, and by index.csv 'x'"),
        (",3,ab", ",-1,ab", "by index.csv '-1'"),
        (",3,ab", f",{'9' * 5000},ab", "by index.csv '99999999999999999999'"),
        ("data/a.pdf", "data/b.pdf", "b.pdf is not there"),
        ("data/a.pdf", "data/../a.pdf", "leads out of it"),
        ("data/a.pdf", "bagit.txt", "not in data/"),
    ],
)
def test_an_index_that_does_not_fit_its_files_is_refused(bag, old, new, words):
    text = (bag / INDEX).read_text()
    assert old in text
    (bag / INDEX).write_text(text.replace(old, new))
    with pytest.raises(NotABag, match=re.escape(words)):
        check(bag)


def test_an_index_that_the_tag_manifest_does_not_list_is_refused(bag):
    tags = (bag / bags.TAG_MANIFEST).read_text().splitlines(keepends=True)
    (bag / bags.TAG_MANIFEST).write_text("".join(tag for tag in tags if INDEX not in tag))
    with pytest.raises(NotABag, match=r"does not list index\.csv"):
        check(bag)
