"""A `DbFileIO` that outlives its transaction, its connection, its object: its bytes, or none."""

import os
from contextlib import nullcontext
from functools import partial

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.transaction import TransactionManagementError

from lo_storage import catalogue, large_objects
from lo_storage.large_objects import ROW_SIZE
from lo_storage.models import LargeObject
from lo_storage.storage import DbFileIO, db_file_storage

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def nothing_left(other_session):
    """Flushing the tables leaves what is not catalogued."""
    yield
    other_session.execute("select lo_unlink(oid) from pg_largeobject_metadata")


@pytest.fixture
def loid(save):
    return db_file_storage.entry(save(b"our\ncontent")).loid


USES = {
    "read": lambda file: file.read(),
    "read a little": lambda file: file.read(1),
    "readinto": lambda file: file.readinto(bytearray(1)),
    "readline": lambda file: file.readline(),
    "chunks": lambda file: list(file.chunks()),
    "size": lambda file: file.size,
    "seek": lambda file: file.seek(0, os.SEEK_END),
    "write": lambda file: file.write(b"x"),
    "truncate": lambda file: file.truncate(0),
}


def assert_all_uses_fail(loid, open_file):
    """Try each use of a file of its own, because one that reads ahead has what it has read."""
    for use in USES.values():
        with (
            transaction.atomic(),
            pytest.raises(FileNotFoundError, match="no such large object"),
            open_file() as file,
        ):
            use(file)


def deleted(session, loid):
    session.execute("delete from lo_storage_largeobject where loid = %s", [loid])


def given_to_another(session, loid):
    """Under the same name, too."""
    deleted(session, loid)
    session.execute(
        "insert into lo_storage_largeobject"
        "       (loid, name, original_name, size, version, created_at, modified_at)"
        "select loid, loid || '.txt', '', 14, 1, clock_timestamp(), clock_timestamp()"
        "  from lo_from_bytea(%s::oid, 'of another one') as loid",
        [loid],
    )


def given_to_another_that_is_not_catalogued(session, loid):
    deleted(session, loid)
    session.execute("select lo_from_bytea(%s::oid, 'of another one')", [loid])


def content(session, loid):
    rows = session.execute(
        "select lo_get(oid) from pg_largeobject_metadata where oid = %s::oid", [loid]
    )
    return rows.fetchone()


@pytest.mark.parametrize("mode", ["r+b", "w+b", "a+b"])
@pytest.mark.parametrize(
    "gone", [deleted, given_to_another, given_to_another_that_is_not_catalogued]
)
def test_an_object_that_another_session_deleted_is_not_found(loid, other_session, gone, mode):
    with transaction.atomic():
        files = [DbFileIO(loid, mode) for _ in USES]
    gone(other_session, loid)
    left = content(other_session, loid)
    assert_all_uses_fail(loid, files.pop)
    assert content(other_session, loid) == left


@pytest.mark.parametrize("undo", ["transaction", "savepoint"])
@pytest.mark.parametrize("then", [None, given_to_another])
def test_an_object_of_what_was_rolled_back_is_not_found(loid, other_session, undo, then):
    outer = transaction.atomic() if undo == "savepoint" else nullcontext()
    with outer, transaction.atomic():
        files = [DbFileIO(0, "w+b", "a.txt") for _ in USES]
        for file in files:
            file.write(b"ours")
        transaction.set_rollback(True)
    for file, use in zip(files, USES.values(), strict=True):
        if then:
            then(other_session, file.loid)
        with (
            file,
            transaction.atomic(),
            pytest.raises(FileNotFoundError, match="no such large object"),
        ):
            use(file)


def test_a_file_outlives_its_transaction_to_be_read(loid):
    with transaction.atomic():
        file = DbFileIO(loid, "r+b")
        file.write(b"OUR")
    assert (file.read(), file.size) == (b"\ncontent", 11)
    for use in ("write", "truncate"):
        with pytest.raises(TransactionManagementError, match="only in a transaction"):
            USES[use](file)
    with file, transaction.atomic():
        file.write(b"!")
    with DbFileIO(loid) as again:
        assert again.read() == b"OUR\ncontent!"


def test_a_file_outlives_its_connection(loid):
    with transaction.atomic():
        file = DbFileIO(loid, "r+b")
    connection.close()
    assert file.read() == b"our\ncontent"
    connection.close()
    with file, transaction.atomic():
        file.write(b"!")
    with DbFileIO(loid) as again:
        assert again.read() == b"our\ncontent!"


def test_a_connection_lost_in_a_transaction_is_not_opened_again_in_it(loid):
    """What comes after would be another transaction, without what came before."""
    with (  # noqa: PT012  # its end, too
        pytest.raises(DatabaseError),
        transaction.atomic(),
        DbFileIO(loid, "r+b") as file,
    ):
        file.write(b"x")
        connection.close()
        file.write(b"y")
    with DbFileIO(loid) as again:
        assert again.read() == b"our\ncontent"


def test_an_object_unlinked_behind_the_catalogue_is_not_found(loid, other_session):
    with transaction.atomic():
        files = {use: DbFileIO(loid, "r+b") for use in USES}
    other_session.execute("select lo_unlink(%s::oid)", [loid])
    before = LargeObject.objects.get(loid=loid)
    for use in ("size", "seek"):  # which the catalogue answers
        files.pop(use).close()
    for use in files:
        with (
            files[use],
            transaction.atomic(),
            pytest.raises(FileNotFoundError, match="large object"),
        ):
            USES[use](files[use])
    assert LargeObject.objects.filter(version=before.version, size=before.size).exists()
    db_file_storage.delete(f"{loid}.txt")
    assert not db_file_storage.exists(f"{loid}.txt")


def test_what_is_read_ahead_is_our_own(loid, other_session):
    file = DbFileIO(loid)
    assert file.readline() == b"our\n"
    given_to_another(other_session, loid)
    assert file.read(7) == b"content"
    with file, pytest.raises(FileNotFoundError):
        file.read()


def test_a_name_is_opened_again_as_a_path_is(loid, other_session):
    """What has the name now is found, as after a file on disk was replaced."""
    file = db_file_storage.open(f"{loid}.txt")
    given_to_another(other_session, loid)
    file.close()
    with file.open() as file:
        assert file.read() == b"of another one"


@pytest.mark.parametrize("is_catalogued", [True, False])
def test_a_file_that_another_session_shortens_is_read_short(save, other_session, is_catalogued):
    content = b"0123456789" * ROW_SIZE
    if is_catalogued:
        entry = db_file_storage.entry(save(content))
        loid, cut = entry.loid, partial(catalogue.truncate, created_at=entry.created_at)
    else:
        (loid,) = other_session.execute("select lo_from_bytea(0, %s)", [content]).fetchone()
        cut = large_objects.truncate
    with DbFileIO(loid) as file, other_session.cursor(binary=True) as cursor:
        assert file.read(4) == b"0123"
        cut(cursor, loid, size=ROW_SIZE + 3)
        if is_catalogued:  # It is another version now, and one begins anew.
            file.seek(ROW_SIZE)
            with pytest.raises(OSError, match="overwritten"):
                file.read(1)
            file.seek(0)
        file.seek(ROW_SIZE)
        assert file.read(10 * ROW_SIZE) == content[ROW_SIZE : ROW_SIZE + 3]
        assert (file.tell(), file.read(1), file.readline()) == (ROW_SIZE + 3, b"", b"")
        cut(cursor, loid, size=0)
        file.seek(0)
        assert file.read() == b"".join(file.chunks()) == b""
