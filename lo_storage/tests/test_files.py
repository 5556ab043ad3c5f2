import copy
import errno
import gc
import io
import os
import pickle
import sys
from array import array

import pytest
from django.db import OperationalError, connection, transaction
from django.db.transaction import TransactionManagementError
from django.http import FileResponse
from django.test.utils import CaptureQueriesContext

from lo_storage import catalogue
from lo_storage.large_objects import MAX_SIZE, ROW_SIZE, WRITE_SIZE
from lo_storage.models import LargeObject
from lo_storage.storage import DbFileIO, db_file_storage
from lo_storage.upkeep.adoption import adopt

pytestmark = pytest.mark.django_db


@pytest.fixture
def new():
    """A function that makes an object and returns its number."""

    def new(content: bytes = b"") -> int:
        with DbFileIO(0, "wb", "notes.txt") as file:
            file.write(content)
        return file.loid

    return new


def content(loid: int) -> bytes:
    with DbFileIO(loid) as file:
        return file.read()


def test_the_reference_s_example_patches_in_place(new):
    loid = new(b"0123456789")
    with DbFileIO(loid, "wb") as file:
        file.seek(3)
        file.write(b"xyz")
        assert file.loid == loid
    assert content(loid) == b"012xyz6789"


def test_a_new_file_is_catalogued_under_its_number_and_suffixes():
    with DbFileIO(0, "wb", "my notes.tar.gz") as file:
        file.write(b"abc")
    assert file.name == f"{file.loid}.tar.gz"
    entry = LargeObject.objects.get(loid=file.loid)
    assert (entry.name, entry.original_name, entry.size) == (file.name, "my notes.tar.gz", 3)


def test_each_write_makes_a_new_version_and_forgets_the_checksum(save):
    name = save(b"abc")
    before = LargeObject.objects.get(name=name)
    with DbFileIO(before.loid, "r+b") as file:
        file.write(b"xy")
        file.truncate(1)
    after = LargeObject.objects.get(name=name)
    assert before.sha256 is not None
    assert (after.version, after.size, after.sha256) == (3, 1, None)
    assert after.modified_at > before.modified_at


@pytest.mark.parametrize("mode", ["rb+", "+rb", "br+", "r+b"])
def test_a_mode_may_be_spelled_in_any_order(new, mode):
    with DbFileIO(new(b"abc"), mode) as file:
        assert (file.mode, file.readable(), file.writable()) == ("r+b", True, True)


@pytest.mark.parametrize("mode", ["", "r", "w", "b", "rw", "rbb", "xb", "rt", "U"])
def test_a_mode_that_does_not_exist(new, mode):
    with pytest.raises(ValueError, match=r"is opened as rb, r\+b, wb, w\+b, ab, a\+b"):
        DbFileIO(new(), mode)


@pytest.mark.parametrize("loid", [-1, 2**32, True, "12", 1.0, None])
def test_a_number_that_no_object_has(loid):
    with pytest.raises(ValueError, match="loid must be a number from 0 to 4294967295"):
        DbFileIO(loid)


@pytest.mark.parametrize("mode", ["rb", "r+b"])
def test_zero_creates_only_in_modes_that_create(mode):
    with pytest.raises(ValueError, match="creates nothing: give the loid"):
        DbFileIO(0, mode)


def test_what_does_not_exist_leaves_the_transaction_usable(new):
    with transaction.atomic():
        with pytest.raises(FileNotFoundError, match="no such large object"):
            DbFileIO(4294967295)
        assert content(new(b"abc")) == b"abc"


def test_append_writes_at_the_end_wherever_the_position_is(new):
    loid = new(b"abc")
    with DbFileIO(loid, "a+b") as file:
        assert file.tell() == 3
        file.seek(0)
        assert file.write(b"de") == 2
        assert file.tell() == 5
    assert content(loid) == b"abcde"


def test_seek_and_write_past_the_end(new):
    with DbFileIO(new(b"abc"), "r+b") as file:
        assert file.seek(2, os.SEEK_END) == 5
        assert file.read() == b""
        file.write(b"x")
        assert file.seek(-1, os.SEEK_CUR) == 5
        file.seek(0)
        assert file.read() == b"abc\0\0x"
        with pytest.raises(OSError, match="Invalid argument"):
            file.seek(-1)


def test_the_end_of_a_large_object(new):
    with DbFileIO(new(b"abc"), "a+b") as file:
        file.truncate(MAX_SIZE)
        with pytest.raises(OSError, match="ends at 4398046509056 bytes"):
            file.write(b"x")
        file.seek(2**63)
        assert file.read() == file.readline() == b""
        file.seek(MAX_SIZE)
        assert file.read(10) == b""


def test_positions_are_whole_numbers(new):
    with DbFileIO(new(b"abc"), "r+b") as file:
        for call in (file.read, file.seek, file.truncate):
            with pytest.raises(TypeError):
                call(1.5)


def test_truncate_keeps_the_position(new):
    with DbFileIO(new(b"0123456789"), "r+b") as file:
        file.seek(4)
        assert file.truncate() == 4
        assert file.truncate(6) == 6
        assert file.tell() == 4
        assert file.size == 6


def test_lines_of_any_length(new):
    lines = [b"a\n", b"\n", b"b" * 700_000 + b"\n", b"last"]
    loid = new(b"".join(lines))
    with DbFileIO(loid) as file:
        assert list(file) == lines
    with DbFileIO(loid) as file:
        assert file.readline(1) == b"a"
        assert file.readline() == b"\n"
        assert file.tell() == 2
        assert file.readline() == b"\n"
        assert file.readline(5) == b"bbbbb"
        assert file.read(2) == b"bb"
        assert file.tell() == 10


def test_lines_read_ahead_are_forgotten_at_a_write(new):
    with DbFileIO(new(b"one\ntwo\n"), "r+b") as file:
        assert file.readline() == b"one\n"
        file.write(b"TWO")
        file.seek(4)
        assert file.readline() == b"TWO\n"


def test_readinto(new):
    buffer = bytearray(5)
    with DbFileIO(new(b"abc")) as file:
        assert file.readinto(buffer) == 3
    assert buffer == b"abc\0\0"


@pytest.mark.parametrize("kind", ["B", "d"])
def test_readinto_fills_a_large_buffer_by_one_statement_as_far_as_the_file_goes(new, kind):
    data = os.urandom(800_000)
    with DbFileIO(new(data)) as file:
        buffer = array(kind, bytes(600_000))
        with CaptureQueriesContext(connection) as queries:
            assert file.readinto(buffer) == 600_000
        assert len(queries) == 1
        assert buffer.tobytes() == data[:600_000]
        assert file.readinto(buffer) == 200_000
        assert buffer.tobytes() == data[600_000:] + data[200_000:600_000]
        assert file.readinto(buffer) == 0
        assert file.tell() == 800_000


def test_writes_of_more_than_one_statement(new):
    data = os.urandom(3_000_001)
    loid = new(data)
    assert content(loid) == data
    assert LargeObject.objects.get(loid=loid).size == len(data)


def test_buffers_of_any_kind_are_written(new):
    loid = new()
    with DbFileIO(loid, "wb") as file:
        file.write(bytearray(b"a"))
        file.write(memoryview(b"xbx")[1:2])
        file.write(array("h", [0x6463] * 2))
        with pytest.raises(BufferError):
            file.write(memoryview(b"cxdx")[::2])
        with pytest.raises(TypeError, match="bytes-like object is required, not 'str'"):
            file.write("e")
    assert content(loid) == b"abcdcd"


def test_a_mode_that_does_not_allow_it(new):
    loid = new(b"abc")
    with DbFileIO(loid) as reader, DbFileIO(loid, "wb") as writer:
        for call in (lambda: reader.write(b""), reader.truncate):
            with pytest.raises(io.UnsupportedOperation, match="not writable"):
                call()
        for call in (writer.read, writer.readline, writer.readall, lambda: next(writer)):
            with pytest.raises(io.UnsupportedOperation, match="not readable"):
                call()
        with pytest.raises(io.UnsupportedOperation):
            reader.fileno()


def test_a_closed_file(new):
    file = DbFileIO(new(b"abc"))
    file.close()
    file.close()
    assert file.closed
    for call in (
        file.read,
        file.tell,
        file.flush,
        file.readline,
        file.readable,
        lambda: file.seek(0),
    ):
        with pytest.raises(ValueError, match="I/O operation on closed file"):
            call()
    with file.open() as file:
        assert file.read() == b"abc"


def test_pythons_wrappers_go_around_it(new):
    loid = new()
    with io.TextIOWrapper(DbFileIO(loid, "r+b"), "utf-8", newline="\n") as text:
        text.write("grün\nblau\n")
        text.seek(0)
        assert list(text) == ["grün\n", "blau\n"]
    with io.BufferedWriter(DbFileIO(loid, "wb")) as writer:
        writer.write(b"red")
    with io.BufferedReader(DbFileIO(loid)) as reader:
        assert reader.peek(3)[:3] == b"red"


def test_neither_close_nor_the_garbage_collector_sends_a_query(new, round_trips):
    loid = new(b"abc")
    file, dropped = DbFileIO(loid), [DbFileIO(loid)]
    dropped.append(dropped)
    del dropped
    with round_trips:
        file.close()
        with pytest.warns(ResourceWarning, match=rf"unclosed file <DbFileIO: {loid} .* rb>"):
            gc.collect()
    assert round_trips == []


@pytest.mark.parametrize(
    ("kind", "data"),
    [(io.BufferedWriter, b"x"), (io.BufferedRandom, b"x"), (io.TextIOWrapper, "x")],
)
def test_what_a_wrapper_holds_when_it_is_dropped_is_lost(new, round_trips, monkeypatch, kind, data):
    """Its finalizer would write, in whatever thread and transaction the collector runs."""
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", reported.append)
    loid = new(b"abc")
    wrapper = kind(DbFileIO(loid, "r+b"))
    wrapper.write(data)
    with round_trips, pytest.warns(ResourceWarning, match=f"unclosed file <.*{kind.__name__}"):
        del wrapper
    assert round_trips == []
    assert content(loid) == b"abc"


def test_a_wrapper_that_holds_nothing_is_dropped_quietly(new):
    loid = new(b"abc")
    for kind, mode in ((io.BufferedReader, "rb"), (io.BufferedRandom, "r+b")):
        wrapper = kind(DbFileIO(loid, mode))
        assert wrapper.read() == b"abc"
        with pytest.warns(ResourceWarning, match=f"unclosed file <.*{kind.__name__}"):
            del wrapper


def test_what_was_not_opened_is_not_unclosed(new):
    with pytest.raises(ValueError, match="loid must be a number"):
        DbFileIO(-1)
    with pytest.raises(FileNotFoundError):
        DbFileIO(4294967295, "ab")
    gc.collect()


@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_file_is_neither_pickled_nor_copied(new, duplicate):
    with DbFileIO(new()) as file, pytest.raises(TypeError, match="cannot pickle 'DbFileIO' object"):
        duplicate(file)


def test_a_with_statement_closes_the_file_however_it_ends(new):
    file = DbFileIO(new(b"abc"))
    with pytest.raises(ZeroDivisionError), file:
        print(1 / 0)
    assert file.closed
    with pytest.raises(ValueError, match="I/O operation on closed file"), file:
        pass
    with file.open() as entered:
        assert entered is file
        assert not file.closed
    assert file.closed


def test_what_a_file_shows_of_itself(new):
    loid = new()
    with DbFileIO(loid, "rb+") as file:
        assert (repr(file), str(file)) == (f"<DbFileIO: {loid} '{loid}.txt' r+b>", f"{loid}.txt")
    assert repr(file) == f"<DbFileIO: {loid} '{loid}.txt' closed>"
    with DbFileIO(loid, name="my notes.txt") as file:
        assert (repr(file), str(file)) == (f"<DbFileIO: {loid} 'my notes.txt' rb>", "my notes.txt")


def test_a_roll_back_is_seen_once_the_file_is_opened_again(new):
    with DbFileIO(new(b"before"), "r+b") as file:
        with transaction.atomic():
            file.write(b"AFTER!")
            file.seek(0)
            assert file.read(1) == b"A"
            transaction.set_rollback(True)
        assert file.read(1) == b"F"
        file.open("r+b")
        assert file.read() == b"before"


def test_an_object_that_is_not_catalogued_is_a_file_too():
    with connection.cursor() as cursor:
        cursor.execute("select lo_from_bytea(0, 'abc')")
        (loid,) = cursor.fetchone()
    with DbFileIO(loid, "r+b") as file:
        assert (file.name, file.size, file.read()) == ("", 3, b"abc")
        file.write(b"def")
        file.truncate(5)
    with DbFileIO(loid, "ab") as file:
        file.write(b"!")
    assert content(loid) == b"abcde!"
    assert not LargeObject.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestWithoutATransaction:
    def test_reading_works(self, save):
        with db_file_storage.open(save(b"abc")) as file:
            assert file.read() == b"abc"

    @pytest.mark.parametrize("mode", ["r+b", "wb", "w+b", "ab", "a+b"])
    def test_opening_to_write_is_refused_with_the_remedy(self, mode, large_objects):
        before = large_objects()
        with pytest.raises(
            TransactionManagementError, match=r"wrap both in transaction.atomic\(using='default'\)"
        ):
            DbFileIO(0, mode) if mode != "r+b" else DbFileIO(4294967295, mode)
        assert large_objects() == before

    def test_writing_after_the_transaction_is_refused(self):
        with transaction.atomic():
            file = DbFileIO(0, "w+b")
            file.write(b"abc")
        for call in (lambda: file.write(b"x"), lambda: file.truncate(0)):
            with pytest.raises(TransactionManagementError):
                call()
        file.seek(0)
        with file:
            assert file.read() == b"abc"

    def test_a_file_of_a_rolled_back_transaction_is_gone(self):
        with transaction.atomic():
            file = DbFileIO(0, "w+b")
            file.write(b"abc")
            transaction.set_rollback(True)
        with file, pytest.raises(FileNotFoundError):
            file.read()

    def test_a_savepoint_rolled_back_takes_its_version_along(self, save):
        name = save(b"abc")
        loid = db_file_storage.entry(name).loid
        with transaction.atomic(), DbFileIO(loid, "r+b") as file, transaction.atomic():
            file.write(b"xyz")
            transaction.set_rollback(True)
        assert (db_file_storage.entry(name).version, content(loid)) == (1, b"abc")

    def test_a_file_deleted_by_another_session(self, save, other_session):
        with DbFileIO(db_file_storage.entry(save(b"abc")).loid) as file:
            other_session.execute("delete from lo_storage_largeobject")
            with pytest.raises(FileNotFoundError):
                file.read()


def test_round_trips(new, round_trips):
    loid = new(b"a\n" * 100_000)
    with round_trips:
        file = DbFileIO(loid, "r+b")
        assert len(round_trips) == 1
        file.read()
        file.seek(0)
        assert len(round_trips) == 2
        assert len(list(file)) == 100_000
        assert len(round_trips) == 4
        file.write(b"x")
        assert len(round_trips) == 5
        file.truncate(1)
        assert len(round_trips) == 6
        file.close()
    assert len(round_trips) == 6


class TestRoundTrips:
    """What a read costs: each statement is one round trip."""

    def test_a_small_file_is_read_when_the_storage_opens_it(self, save, round_trips):
        name = save(b"0123456789" * 1_000)
        with round_trips, db_file_storage.open(name) as file:
            assert file.read(4) + file.read() == b"0123456789" * 1_000
        assert round_trips == [catalogue.OPEN]

    @pytest.mark.django_db(transaction=True)
    def test_a_small_file_is_created_read_and_deleted_in_three(self, save):
        def cycle():
            name = save(b"x" * 10_000)
            with db_file_storage.open(name) as file:
                assert len(file.read()) == 10_000
            db_file_storage.delete(name)

        with CaptureQueriesContext(connection) as alone:
            cycle()
        with CaptureQueriesContext(connection) as together, transaction.atomic():
            cycle()
        assert (len(alone), len(together)) == (3, 5)  # BEGIN and COMMIT are statements, too.

    def test_an_empty_file_has_no_chunks(self, save):
        with db_file_storage.open(save(b"")) as file:
            assert (list(file.chunks()), file.read()) == ([], b"")

    def test_chunks_of_a_small_file(self, save, round_trips):
        name = save(b"abc")
        with round_trips, db_file_storage.open(name) as file:
            assert list(file.chunks()) == [b"abc"]
        assert round_trips == [catalogue.OPEN]

    def test_chunks_are_one_statement_a_mib(self, save, round_trips):
        content = os.urandom(2 * WRITE_SIZE + 5)
        name = save(content)
        with round_trips, db_file_storage.open(name) as file:
            chunks = list(file.chunks())
        assert b"".join(chunks) == content
        assert {len(chunk) for chunk in chunks} == {ROW_SIZE, 5}
        assert round_trips == [catalogue.OPEN] + 3 * [catalogue.READ_ROWS]

    def test_chunks_are_of_one_version_or_an_error(self, save):
        """A copy that is made of them never has a checksum of what never was."""
        name = save(bytes(3 * WRITE_SIZE))
        with db_file_storage.open(name) as file:
            chunks = file.chunks()
            assert next(chunks) == bytes(ROW_SIZE)
            with transaction.atomic(), DbFileIO(file.file.loid, "r+b") as another:
                another.seek(2 * WRITE_SIZE)
                another.write(b"x")
            with pytest.raises(OSError, match="overwritten while it was read") as error:
                list(chunks)
            assert error.value.errno == errno.ESTALE
            assert sum(map(len, file.chunks())) == 3 * WRITE_SIZE

    @pytest.mark.parametrize("size", [ROW_SIZE - 1, 3 * WRITE_SIZE])
    @pytest.mark.parametrize(
        "parts",
        [
            lambda file: file.chunks(ROW_SIZE - 1),
            lambda file: file.chunks(100),
            lambda file: iter(lambda: file.file.read(ROW_SIZE), b""),
            lambda file: iter(lambda: file.file.read(7), b""),
            lambda file: iter(file.file),
            lambda file: iter(lambda: file.file.readline(9), b""),
            lambda file: FileResponse(file).streaming_content,
        ],
        ids=["chunks", "small chunks", "read", "small reads", "lines", "readline", "FileResponse"],
    )
    def test_reads_are_of_one_version_or_an_error(self, save, parts, size):
        content = (b"1" * 62 + b"\n\n") * (size // 64 + 1)
        name = save(content[:size])
        with db_file_storage.open(name) as file:
            read = parts(file)
            first = next(read)
            with transaction.atomic(), DbFileIO(file.file.loid, "ab") as another:
                another.write(b"2")
            with pytest.raises(OSError, match="overwritten while it was read") as error:
                list(read)
            assert error.value.errno == errno.ESTALE
            with pytest.raises(OSError, match="overwritten while it was read"):
                file.read(1)
            file.seek(0)
            assert file.read() == content[:size] + b"2"
            file.seek(0)
            assert next(parts(file)).startswith(first)

    def test_a_file_that_is_adopted_while_it_is_open_is_written_with_its_row(self):
        with connection.cursor() as cursor:
            cursor.execute("select lo_from_bytea(0, 'contents')")
            (loid,) = cursor.fetchone()
        with DbFileIO(loid, "r+b") as file:
            assert adopt("default", f"{loid}.txt") is None
            file.seek(0, os.SEEK_END)
            file.write(b"more")
        entry = LargeObject.objects.get()
        assert (entry.size, entry.version) == (12, 2)

    def test_chunks_of_a_model_s_file(self, documents, save, round_trips):
        document = documents.objects.create(data=save(b"x" * ROW_SIZE))
        with round_trips, document.data as file:
            assert list(file.chunks()) == [b"x" * ROW_SIZE]
        assert round_trips == [catalogue.OPEN, catalogue.READ_ROWS]

    def test_all_at_once_is_one_statement(self, save, round_trips):
        content = os.urandom(2 * WRITE_SIZE + 5)
        name = save(content)
        with round_trips, db_file_storage.open(name) as file:
            assert file.read() == content
        assert round_trips == [catalogue.OPEN, catalogue.READ_ROWS]

    def test_small_reads_are_answered_by_what_was_read_ahead(self, save, round_trips):
        content = os.urandom(ROW_SIZE + 10)
        with DbFileIO(db_file_storage.entry(save(content)).loid) as file, round_trips:
            assert file.read(10) == content[:10]
            file.seek(ROW_SIZE - 10)
            assert file.read(10) == content[ROW_SIZE - 10 : ROW_SIZE]
            assert round_trips == [catalogue.READ_ROWS]
            assert file.read(100) == content[ROW_SIZE:]
        assert round_trips == 2 * [catalogue.READ_ROWS]

    def test_a_write_through_the_same_handle_is_read(self, save):
        loid = db_file_storage.entry(save(b"0123456789")).loid
        with DbFileIO(loid, "r+b") as file:
            assert file.read(2) == b"01"
            file.write(b"xy")
            assert file.read(2) == b"45"
            file.seek(0)
            assert file.read() == b"01xy456789"


class TestDjangoSeesALongRead:
    """It comes row by row from the connection itself, and is a statement like any other."""

    @pytest.fixture
    def file(self, save):
        with db_file_storage.open(save(bytes(16 * WRITE_SIZE))) as file:
            yield file

    def test_in_the_query_log(self, file):
        with CaptureQueriesContext(connection) as queries:
            file.read()
        (query,) = queries
        assert "lo_get(" in query["sql"]
        assert float(query["time"]) >= 0

    def test_as_an_error_of_django_s(self, file):
        with transaction.atomic():
            with connection.cursor() as cursor:  # until the savepoint ends
                cursor.execute("set local statement_timeout = 1")
            with pytest.raises(OperationalError, match="statement timeout"):
                file.read()
            transaction.set_rollback(True)
        assert len(file.read()) == 16 * WRITE_SIZE

    def test_in_a_broken_transaction(self, file):
        with transaction.atomic():
            transaction.set_rollback(True)
            with pytest.raises(TransactionManagementError):
                file.read()
