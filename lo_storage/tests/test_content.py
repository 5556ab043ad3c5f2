"""The bytes of one object: what holds for a catalogued one holds for every other one, too."""

import os

import pytest
from django.db import connection

from lo_storage.content import Content
from lo_storage.database import GatheringCursor
from lo_storage.large_objects import MAX_SIZE, ROW_SIZE, WRITE_SIZE
from lo_storage.models import LargeObject

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["catalogued", "not catalogued"])
def content(request):
    """An empty object."""
    if request.param == "catalogued":
        return Content.create("default", "march.pdf")[0]
    with connection.cursor() as cursor:
        cursor.execute("select lo_create(0)")
        (loid,) = cursor.fetchone()
    return Content("default", loid, None)


def read(content, start=0, end=MAX_SIZE):
    return b"".join(content.rows(start, end)[1])


def read_at_once(content, start, end):
    return b"".join(content.rows(start, end, GatheringCursor)[1])


def test_a_new_object_is_catalogued():
    content, name = Content.create("default", "march.tar.gz")
    entry = LargeObject.objects.get()
    assert (name, content[:2]) == (f"{entry.loid}.tar.gz", ("default", entry.loid))
    # One of them is naive where there is no USE_TZ.
    assert content.created_at.timestamp() == entry.created_at.timestamp()


def test_an_object_is_opened(content):
    content.write(0, memoryview(b"abc"))
    names = list(LargeObject.objects.values_list("name", flat=True))
    small = b"abc" if names else b""
    for writing in (False, True):
        found, name, version, data = Content.open(
            "default", content.loid, writing=writing, content_below=4
        )
        assert (found, [name], data) == (content, names or [""], small)
        assert (version and version[0]) == (2 if names else None)


def test_what_does_not_exist_is_not_opened():
    with pytest.raises(FileNotFoundError):
        Content.open("default", 4_294_967_295, writing=False, content_below=0)


def test_what_is_written_is_read(content):
    data = os.urandom(2 * WRITE_SIZE + 5)
    assert content.write(0, memoryview(data)) == len(data) == content.size()
    version, rows = content.rows(0, MAX_SIZE)
    assert version in (None, Content.open(*content[:2], writing=False, content_below=0)[2])
    assert {len(row) for row in rows} == {ROW_SIZE, 5}
    assert b"".join(rows) == data
    assert read(content, 7, ROW_SIZE + 9) == data[7 : ROW_SIZE + 9]
    assert read_at_once(content, 0, MAX_SIZE) == data
    assert read_at_once(content, 7, ROW_SIZE + 9) == data[7 : ROW_SIZE + 9]


def test_nothing_is_read_where_there_is_nothing(content):
    assert (read(content), read_at_once(content, 0, MAX_SIZE)) == (b"", b"")
    content.write(0, memoryview(b"abc"))
    assert (read(content, 3), read_at_once(content, 3, MAX_SIZE)) == (b"", b"")


def test_what_is_gone_is_not_read(content):
    gone = content._replace(loid=4_294_967_295)
    for call in (gone.size, lambda: read(gone), lambda: read_at_once(gone, 0, 1)):
        with pytest.raises(FileNotFoundError):
            call()


def test_the_end_moves(content):
    data = os.urandom(WRITE_SIZE + 5)
    assert content.append(memoryview(data)) == WRITE_SIZE + 5
    assert content.append(memoryview(b"abc")) == WRITE_SIZE + 8
    content.truncate(WRITE_SIZE + 10)
    assert read(content, WRITE_SIZE) == data[WRITE_SIZE:] + b"abc\0\0"
    content.truncate(3)
    assert (read(content), content.size()) == (data[:3], 3)


def test_what_would_reach_too_far_writes_nothing(content):
    """Although the first statement of several would not."""
    with pytest.raises(OSError, match="a large object ends at"):
        content.write(MAX_SIZE - WRITE_SIZE, memoryview(bytes(WRITE_SIZE + 1)))
    assert content.size() == 0


def test_behind_the_largest_object_there_is_nothing(content):
    """The last byte is not given once more."""
    content.truncate(MAX_SIZE)
    assert content.rows(MAX_SIZE - 1, MAX_SIZE + 5)[1] == [b"\0"]
    assert content.rows(MAX_SIZE, MAX_SIZE + 5)[1] == []
