"""A `DbFileIO` in a thread other than the one that opened it: what Django allows a connection."""

import gc
import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.db.transaction import TransactionManagementError

from lo_storage.storage import DbFileIO, db_file_storage

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def loid(save):
    return db_file_storage.entry(save(b"0123456789")).loid


@pytest.fixture
def in_another_thread():
    """A function that runs another in a thread of its own, which has a connection of its own."""

    def run(function):
        try:
            return function()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        yield lambda function: pool.submit(run, function).result()


def content(loid):
    with DbFileIO(loid) as file:
        return file.read()


def test_what_is_committed_is_read_over_the_thread_s_own_connection(
    loid, in_another_thread, round_trips
):
    def read():
        with round_trips:
            return file.read(), len(round_trips)

    with DbFileIO(loid) as file:
        with connection.execute_wrapper(forbidden):
            assert in_another_thread(read) == (b"0123456789", 1)
        assert (file.tell(), file.read()) == (10, b"")


def forbidden(*args):
    pytest.fail("the connection of another thread was used")


def test_an_object_that_is_not_committed_is_not_found(in_another_thread):
    with transaction.atomic(), DbFileIO(0, "w+b") as file:
        file.write(b"abc")
        for use in (lambda: file.read(), lambda: file.size, lambda: DbFileIO(file.loid)):
            with pytest.raises(FileNotFoundError, match="no such large object"):
                in_another_thread(use)
        file.seek(0)
        assert file.read() == b"abc"
    assert in_another_thread(lambda: content(file.loid)) == b"abc"


def test_bytes_that_are_not_committed_are_not_read(loid, in_another_thread):
    with transaction.atomic(), DbFileIO(loid, "r+b") as file:
        file.write(b"AB")
        assert in_another_thread(lambda: content(loid)) == b"0123456789"
        assert in_another_thread(lambda: file.read(3)) == b"234"
    assert in_another_thread(lambda: content(loid)) == b"AB23456789"


def test_writing_needs_a_transaction_of_that_thread(loid, in_another_thread):
    with transaction.atomic(), DbFileIO(loid, "r+b") as file:
        for use in (
            lambda: file.write(b"x"),
            lambda: file.truncate(0),
            lambda: DbFileIO(loid, "r+b"),
            lambda: DbFileIO(0, "wb"),
        ):
            with pytest.raises(TransactionManagementError, match="only in a transaction"):
                in_another_thread(use)
        assert file.write(b"AB") == 2
    assert content(loid) == b"AB23456789"


@pytest.mark.parametrize(
    ("undo", "expected"), [(False, b"01xy456789"), (True, b"0123456789")], ids=["commit", "undo"]
)
def test_a_transaction_of_that_thread_decides(loid, in_another_thread, undo, expected):
    def write():
        with transaction.atomic():
            file.write(b"xy")
            transaction.set_rollback(undo)

    with transaction.atomic():
        file = DbFileIO(loid, "r+b")
        file.seek(2)
    with file:
        in_another_thread(write)
    assert content(loid) == expected


def test_a_thread_that_writes_waits_for_one_that_has_written(loid, in_another_thread):
    def write():
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("set local lock_timeout = '50ms'")
            file.write(b"xy")

    with transaction.atomic(), DbFileIO(loid, "r+b") as file:
        file.write(b"AB")
        with pytest.raises(OperationalError, match="lock timeout"):
            in_another_thread(write)
    gc.collect()  # Over a `PickleBuffer` that the failed write held CPython 3.12.1 crashed here.
    assert content(loid) == b"AB23456789"


def test_threads_share_a_file_by_way_of_a_buffered_reader(save):
    lines = [f"{number:07}\n".encode() for number in range(100_000)]
    loid = db_file_storage.entry(save(b"".join(lines))).loid

    def read():
        try:
            return list(iter(lambda: file.read(8), b""))
        finally:
            connections.close_all()

    with io.BufferedReader(DbFileIO(loid)) as file, ThreadPoolExecutor(4) as pool:
        parts = [pool.submit(read) for _ in range(4)]
        assert sorted(line for part in parts for line in part.result()) == lines
