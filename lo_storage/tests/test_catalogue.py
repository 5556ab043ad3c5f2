"""The statements of the catalogue, over a plain psycopg cursor."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from lo_storage import catalogue, large_objects
from lo_storage.large_objects import MAX_SIZE, ROW_SIZE


@pytest.fixture
def entry(cursor):
    _, name, _ = catalogue.create(cursor, b"0123456789", "march.tar.gz", "ab")
    return catalogue.find(cursor, name)


def changed(cursor, entry):
    """What the catalogue has of the file now, and its whole content."""
    found = catalogue.find(cursor, entry.name)
    return found, large_objects.read(cursor, entry.loid, 0, 100)


def test_a_new_object(cursor):
    loid, name, created_at = catalogue.create(cursor, b"abc", "dir/march \0\ud800.pdf", "ab")
    assert name == f"{loid}.pdf"
    entry = catalogue.find(cursor, name)
    assert entry[:7] == (loid, name, "march ?.pdf", 3, "ab", 1, created_at)
    assert (entry.modified_at >= created_at, entry.content) == (True, None)
    assert catalogue.names(cursor) == [name]
    assert large_objects.read(cursor, loid, 0, 100) == b"abc"


@pytest.mark.parametrize("statement", [catalogue.CREATE, catalogue.WRITE, catalogue.APPEND])
def test_the_planner_finds_a_content_once_and_not_in_returning(statement):
    assert statement.count("%(data)b") == 1
    assert "returning lo_put" not in statement


def take_the_next_numbers(cursor):
    last = large_objects.create(cursor)
    cursor.execute(
        "insert into lo_storage_largeobject"
        "       (loid, name, original_name, size, version, created_at, modified_at)"
        " select loid, loid || '.pdf', '', 3, 1, now(), now()"
        "   from generate_series(%s::bigint + 1, %s::bigint + 1000) as loid",
        [last, last],
    )
    return last


def new(number, **times):
    content = f"content {number}".encode()
    return catalogue.New(
        content, f"a/{number}.tar.gz", hashlib.sha256(content).hexdigest(), **times
    )


def test_many_new_objects_come_in_one_statement_with_the_times_they_had(cursor):
    then = datetime(2001, 2, 3, 4, 5, 6, 7, tzinfo=UTC)
    files = [new(number) for number in range(30)]
    files.append(new(30, created_at=then, modified_at=then + timedelta(days=1)))
    names = catalogue.create_many(cursor, files)
    assert len(set(names)) == 31
    for name, file in zip(names, files, strict=True):
        entry = catalogue.find(cursor, name, 100)
        assert entry.name == f"{entry.loid}.tar.gz"
        assert entry.original_name == file.original_name.removeprefix("a/")
        assert (entry.size, entry.sha256, entry.version, entry.content) == (
            len(file.data),
            file.sha256,
            1,
            file.data,
        )
    assert (entry.created_at, entry.modified_at) == (then, then + timedelta(days=1))
    now = datetime.now(UTC)
    assert now - catalogue.find(cursor, names[0]).created_at < timedelta(minutes=5)


def test_many_new_objects_leave_numbers_of_lost_files_to_them(cursor):
    last = take_the_next_numbers(cursor)
    then = datetime(2001, 2, 3, tzinfo=UTC)
    files = [new(number, created_at=then, modified_at=then) for number in range(3)]
    entries = [catalogue.find(cursor, name, 100) for name in catalogue.create_many(cursor, files)]
    assert [entry.content for entry in entries] == [file.data for file in files]
    assert {entry.created_at for entry in entries} == {then}
    assert min(entry.loid for entry in entries) >= 2**31
    cursor.execute("select count(*) from pg_largeobject_metadata where oid > %s::oid", [last])
    assert cursor.fetchone() == (3,)


def test_a_number_that_a_lost_file_still_has_is_left_to_it(cursor):
    """As after a restore without large objects: PostgreSQL takes the numbers for free."""
    last = take_the_next_numbers(cursor)
    loid, name, created_at = catalogue.create(cursor, b"abc", "march.pdf", "ab")
    assert loid >= 2**31
    assert catalogue.find(cursor, name)[:7] == (loid, name, "march.pdf", 3, "ab", 1, created_at)
    assert large_objects.read(cursor, loid, 0, 100) == b"abc"
    cursor.execute("select oid from pg_largeobject_metadata where oid >= %s::oid", [last])
    assert {number for (number,) in cursor.fetchall()} == {last, loid}


@pytest.mark.parametrize(("ahead", "content"), [(10, None), (11, b"0123456789")])
def test_what_is_smaller_is_read_ahead(cursor, entry, ahead, content):
    assert catalogue.find(cursor, entry.name, ahead) == entry._replace(content=content)
    assert catalogue.open(cursor, entry.loid, ahead) == (
        entry.name,
        entry.created_at,
        True,
        (entry.version, entry.modified_at),
        10,
        content or b"",
    )


def test_an_object_that_is_not_catalogued_is_opened_without_name_and_time(cursor):
    loid = large_objects.create(cursor, b"abc")
    assert catalogue.open(cursor, loid, 100) == ("", None, True, None, None, b"")


def test_what_is_written_is_a_new_version_without_a_checksum(cursor, entry):
    catalogue.write(cursor, entry.loid, 8, b"abc", entry.created_at)
    found, content = changed(cursor, entry)
    assert (found.size, found.sha256, found.version, content) == (11, None, 2, b"01234567abc")
    assert found.modified_at > entry.modified_at
    assert catalogue.append(cursor, entry.loid, b"d", entry.created_at) == 12
    catalogue.truncate(cursor, entry.loid, 1, entry.created_at)
    found, content = changed(cursor, entry)
    assert (found.size, found.version, content) == (1, 4, b"0")


def test_the_size_and_checksum_of_what_was_written_by_several_statements(cursor, entry):
    large_objects.write(cursor, entry.loid, 10, b"abc")
    sha256 = hashlib.sha256(b"0123456789abc").hexdigest()
    catalogue.complete(cursor, entry.loid, 13, sha256)
    found, _ = changed(cursor, entry)
    assert (found.size, found.sha256, found.version) == (13, sha256, 1)
    assert catalogue.size(cursor, entry.loid, entry.created_at) == 13


def test_content_comes_in_rows(cursor):
    content = bytes(range(256)) * (ROW_SIZE // 128) + b"end"
    loid, _, created_at = catalogue.create(cursor, content, "")
    (version, modified_at), rows = catalogue.read_rows(cursor, loid, 3, MAX_SIZE, created_at)
    assert [len(row) for row in rows] == [ROW_SIZE, ROW_SIZE]
    assert b"".join(rows) == content[3:]
    assert (version, modified_at >= created_at) == (1, True)
    read = catalogue.read_rows(cursor, loid, len(content), MAX_SIZE, created_at)
    assert read == ((version, modified_at), [])
    read = catalogue.read_version(cursor, loid, 1, 9, created_at, 4)
    assert read == ((version, modified_at), [content[1:5], content[5:9]])


@pytest.mark.parametrize(
    "call",
    [
        catalogue.size,
        lambda *given, **times: catalogue.read_rows(*given, 0, 10, **times),
        lambda *given, **times: catalogue.read_version(*given, 0, 10, row_size=4, **times),
        lambda *given, **times: catalogue.write(*given, 0, b"x", **times),
        lambda *given, **times: catalogue.append(*given, b"x", **times),
        lambda *given, **times: catalogue.truncate(*given, 0, **times),
    ],
    ids=["size", "read_rows", "read_version", "write", "append", "truncate"],
)
def test_another_object_of_the_same_number_is_not_found(cursor, entry, call):
    before = changed(cursor, entry)
    another = {"created_at": entry.created_at - timedelta(microseconds=1)}
    with pytest.raises(FileNotFoundError, match=str(entry.loid)):
        call(cursor, entry.loid, **another)
    assert changed(cursor, entry) == before


def test_the_end_of_a_large_object(cursor, entry):
    for call in (
        lambda: catalogue.write(cursor, entry.loid, MAX_SIZE, b"x", entry.created_at),
        lambda: catalogue.truncate(cursor, entry.loid, MAX_SIZE + 1, entry.created_at),
    ):
        with pytest.raises(OSError, match="a large object ends at"):
            call()
    catalogue.truncate(cursor, entry.loid, MAX_SIZE, entry.created_at)
    with pytest.raises(OSError, match="a large object ends at"):
        catalogue.append(cursor, entry.loid, b"x", entry.created_at)


def test_adopting(cursor, entry):
    loid = large_objects.create(cursor, b"abc")
    assert catalogue.adopt(cursor, f"{loid}.pdf") is True
    assert catalogue.find(cursor, f"{loid}.pdf")[2:4] == ("", 3)
    another = large_objects.create(cursor)
    assert catalogue.adopt(cursor, f"{another}.pdf", "march.pdf") is True
    assert catalogue.find(cursor, f"{another}.pdf").original_name == "march.pdf"
    for name in (f"{loid}.pdf", f"{loid}.html", "4294967295.pdf", "march.pdf"):
        assert catalogue.adopt(cursor, name) is False


def test_deleting_takes_the_object_along(cursor, entry):
    catalogue.delete(cursor, entry.name)
    assert catalogue.find(cursor, entry.name) is None
    with pytest.raises(FileNotFoundError):
        large_objects.size(cursor, entry.loid)
    for name in (entry.name, "march.pdf"):
        catalogue.delete(cursor, name)
