"""What is told of a row that was not moved."""

import pytest

from lo_storage.transfer.contents import NotAsItWas
from lo_storage.transfer.outcomes import finding, missing, refused, unreadable
from lo_storage.transfer.rows import Column
from lo_storage.transfer.sources import Row, StoredFiles, source_of

from ..models import Letter

COLUMN = Column(Letter, Letter._meta.get_field("scan"), "default")
ROW = Row(7, "a.pdf", "")


def test_a_finding_names_the_row_and_the_file():
    assert finding(COLUMN, ROW, "kind", "what", "mend") == (
        *("error", "kind", "lo_storage_tests.Letter.scan, row 7", "what", "mend", "a.pdf", "7"),
    )
    assert finding(COLUMN, ROW._replace(value=b"hash"), "kind", "what", "mend").name is None


def test_what_is_missing():
    assert missing(COLUMN, ROW).what == "names a.pdf, which is not in the source"
    assert missing(COLUMN, ROW._replace(value=b"hash")).what.startswith("has a content")


def test_an_error_is_a_line():
    error = OSError("no\n  such device")
    assert refused(COLUMN, ROW, error).what == "was not moved: no such device"
    assert refused(COLUMN, ROW, NotAsItWas("it has 1 byte")).kind == "wrong-content"
    assert refused(COLUMN, ROW, OSError()).what == "was not moved: OSError"


@pytest.mark.parametrize("there", [True, False])
def test_what_cannot_be_read_is_missing_if_it_is_not_there(db, tmp_path, there):
    source = source_of(COLUMN)
    assert isinstance(source, StoredFiles)
    source.storage = source.storage.__class__(tmp_path)
    if there:
        (tmp_path / "a.pdf").touch()
    found = unreadable(COLUMN, source, ROW, PermissionError("denied"))
    assert found.kind == ("unreadable" if there else "not-in-source")
