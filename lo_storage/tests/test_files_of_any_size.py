"""Objects beyond 2 and 4 GiB, where numbers of 32 bits end, and lines beyond any buffer."""

import io
import os

import pytest
from django.db import connection

from lo_storage.large_objects import MAX_SIZE, ROW_SIZE, WRITE_SIZE
from lo_storage.storage import DbFileIO, db_file_storage

pytestmark = pytest.mark.django_db

GiB = 1 << 30
BEYOND = pytest.mark.parametrize("edge", [2 * GiB, 4 * GiB], ids=["2 GiB", "4 GiB"])


@pytest.fixture(params=["catalogued", "not catalogued"])
def loid(request, save):
    """The number of an object of ten bytes."""
    if request.param == "catalogued":
        return db_file_storage.entry(save(b"0123456789")).loid
    with connection.cursor() as cursor:
        cursor.execute("select lo_from_bytea(0, '0123456789')")
        return cursor.fetchone()[0]


@BEYOND
def test_what_lies_across_is_written_and_read(loid, edge):
    with DbFileIO(loid, "r+b") as file:
        assert file.seek(edge - 3) == edge - 3
        assert file.write(b"one\ntwo\n") == 8
        assert file.tell() == file.size == file.seek(0, os.SEEK_END) == edge + 5
        assert file.seek(-9, os.SEEK_END) == edge - 4
        assert file.read(5) == b"\0one\n"
        assert file.readline() == b"two\n"
        assert file.seek(edge - 3) == edge - 3
        assert [(line, file.tell()) for line in file] == [
            (b"one\n", edge + 1),
            (b"two\n", edge + 5),
        ]
        assert file.seek(-8, os.SEEK_CUR) == edge - 3
        assert (file.read(), file.read()) == (b"one\ntwo\n", b"")


@BEYOND
def test_a_file_is_cut_and_extended_there(loid, edge):
    with DbFileIO(loid, "r+b") as file:
        assert file.truncate(edge + 5) == edge + 5
        assert (file.size, file.tell()) == (edge + 5, 0)
        file.seek(edge)
        assert file.read() == bytes(5)
        assert file.truncate(edge - 1) == edge - 1
        assert (file.size, file.tell()) == (edge - 1, edge + 5)
        assert file.read() == b""
        file.seek(0)
        assert file.read(12) == b"0123456789\0\0"


@BEYOND
def test_what_is_appended_goes_to_the_end(loid, edge):
    with DbFileIO(loid, "a+b") as file:
        file.truncate(edge - 2)
        file.write(b"across")
        assert file.tell() == file.size == edge + 4
        file.seek(edge - 2)
        assert file.read() == b"across"


@BEYOND
def test_python_s_buffers_go_there(loid, edge):
    with io.BufferedRandom(DbFileIO(loid, "r+b")) as file:
        file.seek(edge - 2)
        file.write(b"across")
        file.seek(-3, os.SEEK_CUR)
        assert file.peek(1)[:1] == b"o"
        file.seek(-4, os.SEEK_END)
        assert file.read() == b"ross"


@BEYOND
def test_the_storage_tells_its_size_and_gives_the_first_chunk(save, edge):
    name = save(b"abc")
    with db_file_storage.open(name, "r+b") as file:
        file.truncate(edge + 1)
        assert file.size == db_file_storage.size(name) == edge + 1
        assert next(file.chunks()) == b"abc" + bytes(ROW_SIZE - 3)


def test_the_largest_object_that_can_be(loid):
    with DbFileIO(loid, "r+b") as file:
        file.seek(MAX_SIZE - 4)
        file.write(b"end\n")
        assert file.size == file.seek(0, os.SEEK_END) == MAX_SIZE
        file.seek(-4, os.SEEK_END)
        assert (file.readline(), file.readline(), file.read()) == (b"end\n", b"", b"")
        file.seek(MAX_SIZE)
        with pytest.raises(OSError, match="ends at 4398046509056 bytes"):
            file.write(b"x")
        with pytest.raises(OSError, match="ends at 4398046509056 bytes"):
            file.truncate(MAX_SIZE + 1)
        assert (file.tell(), file.size) == (MAX_SIZE, MAX_SIZE)


@pytest.mark.parametrize("length", [ROW_SIZE - 1, ROW_SIZE, WRITE_SIZE + 1, 3 * WRITE_SIZE])
def test_a_line_longer_than_any_buffer(save, length):
    long = b"x" * (length - 1) + b"\n"
    loid = db_file_storage.entry(save(b"a\n" + long + b"\n" + long + b"last")).loid
    lines = [b"a\n", long, b"\n", long, b"last"]
    with DbFileIO(loid) as file:
        assert list(file) == lines
        file.seek(0)
        assert file.readlines(3) == lines[:2]
        assert file.tell() == 2 + length
        file.seek(2)
        assert file.readline(length - 1) == long[:-1]
        assert file.readline() == b"\n"
    with io.TextIOWrapper(DbFileIO(loid), "ascii", newline="") as text:
        assert list(text) == [line.decode() for line in lines]
    with io.BufferedReader(DbFileIO(loid), 1000) as buffered:
        assert list(buffered) == lines
