"""A restore without large objects leaves their numbers to other applications."""

import errno
import re

import pytest
from django.core.files.base import ContentFile
from django.db import IntegrityError, connection, transaction
from django.test import RequestFactory

from lo_storage.models import LargeObject
from lo_storage.serving.answers import ContentMissing
from lo_storage.storage import DbFileIO, db_file_storage
from lo_storage.views import db_serve

LARGE = 300_000  # It is not read when it is opened.
STRANGERS = b"the stranger's"


def execute(statement, *params):
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchall() if cursor.description else None


def loid_of(name):
    return int(name.partition(".")[0])


def content(name):
    return execute("select lo_get(oid) from pg_largeobject_metadata where oid = %s", loid_of(name))


@pytest.fixture
def taken(transactional_db, save):
    """A function that stores a file, and gives its number to another object."""
    names = []

    def take(size, strangers=STRANGERS):
        name = save(b"a" * size)
        names.append(name)
        execute("select lo_unlink(%s::oid)", loid_of(name))
        execute("select lo_from_bytea(%s::oid, %s)", loid_of(name), strangers)
        return name

    yield take
    for name in names:
        execute("select lo_unlink(oid) from pg_largeobject_metadata where oid = %s", loid_of(name))


CASES = pytest.mark.parametrize(
    ("size", "strangers"),
    [
        (10, STRANGERS),
        (10, b""),
        (0, STRANGERS),
        (LARGE, STRANGERS),
        (LARGE, b"b" * (LARGE + 1)),
        (LARGE, b"b" * (LARGE - 1)),
    ],
)


@CASES
def test_it_is_not_read(taken, size, strangers):
    name = taken(size, strangers)
    says = f"its large object does not end at {size:,} bytes, as the catalogue says"
    for open_it in (db_file_storage.open, lambda name: DbFileIO(loid_of(name))):
        with pytest.raises(OSError, match=re.escape(says)) as raised:
            open_it(name)
        assert raised.value.errno == errno.EIO
        assert "manage.py lo_check" in str(raised.value)
        assert name in str(raised.value)


@CASES
@pytest.mark.parametrize("headers", [{}, {"If-None-Match": '"other"'}])
def test_it_is_not_served(taken, size, strangers, headers):
    name = taken(size, strangers)
    if size == 0 and headers:
        return  # Nothing is read of an empty file, and nothing is sent.
    with pytest.raises(ContentMissing, match="is missing or not of its size"):
        b"".join(db_serve(RequestFactory().get("/", headers=headers), name))


@CASES
@pytest.mark.parametrize("mode", ["r+b", "wb", "ab"])
def test_it_is_not_written(taken, size, strangers, mode):
    name = taken(size, strangers)
    for open_it in (db_file_storage.open, lambda name, mode: DbFileIO(loid_of(name), mode)):
        with pytest.raises(OSError, match="does not end at"), transaction.atomic():
            open_it(name, mode)
    assert content(name) == [(strangers,)]


@CASES
def test_it_is_not_deleted_and_the_row_goes(taken, size, strangers):
    name = taken(size, strangers)
    db_file_storage.delete(name)
    assert not db_file_storage.exists(name)
    assert content(name) == [(strangers,)]


def test_it_is_not_deleted_when_a_row_lets_go(documents, taken):
    document = documents.objects.create(data=taken(10))
    document.data = ContentFile(b"new", "a.txt")
    document.save()
    assert [name.name for name in LargeObject.objects.all()] == [document.data.name]
    document.delete()


def test_it_outlives_a_truncate(taken, save):
    name, ours = taken(10), save(b"ours")
    execute("truncate lo_storage_largeobject cascade")
    assert content(ours) == []
    assert content(name) == [(STRANGERS,)]


@pytest.mark.parametrize("level", ["read committed", "repeatable read", "serializable"])
def test_what_a_transaction_wrote_itself_is_its_own(transactional_db, save, level):
    name = save(b"march")
    with transaction.atomic():
        execute(f"set transaction isolation level {level}")
        for _ in range(2):
            with db_file_storage.open(name, "ab") as file:
                file.write(b"b" * LARGE)
        with db_file_storage.open(name, "r+b") as file:
            file.truncate(7)
            assert file.read() == b"marchbb"
        large = db_file_storage.save("a.bin", ContentFile(b"c" * 3_000_000))
        for file in (name, large):
            db_file_storage.delete(file)
    assert content(name) == content(large) == []


def test_a_sparse_object_of_any_size_is_its_own(transactional_db, save):
    name = save(b"march")
    with transaction.atomic(), db_file_storage.open(name, "r+b") as file:
        file.truncate(2**42 - 2048)
    with db_file_storage.open(name) as file:
        assert file.read(5) == b"march"
    db_file_storage.delete(name)
    assert content(name) == []


def test_a_file_that_a_row_names_is_still_refused(documents, taken):
    document = documents.objects.create(data=taken(10))
    with pytest.raises(IntegrityError):
        db_file_storage.delete(document.data.name)
    document.delete()
