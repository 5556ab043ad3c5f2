"""The index of an exported folder."""

import csv

import pytest

from lo_storage.transfer.bags import NotABag
from lo_storage.transfer.index import INDEX, Line, cells, lines, writer

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


@pytest.mark.parametrize("text", [None, "a,b\n", ",".join(Line._fields) + "\n1,2\n"])
def test_what_is_no_index_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / INDEX).write_text(text)
    with pytest.raises(NotABag, match=INDEX):
        list(lines(tmp_path))
