"""The lowest module, over a plain psycopg cursor."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

import lo_storage
from lo_storage import large_objects
from lo_storage.large_objects import MAX_SIZE, ROW_SIZE


def test_what_is_written_is_read(cursor):
    loid = large_objects.create(cursor, b"hello")
    large_objects.write(cursor, loid, 5, memoryview(b", world"))
    assert large_objects.read(cursor, loid, 0, 100) == b"hello, world"
    assert large_objects.read(cursor, loid, 7, 3) == b"wor"
    assert large_objects.size(cursor, loid) == 12


def test_a_gap_reads_as_zeros(cursor):
    loid = large_objects.create(cursor)
    large_objects.write(cursor, loid, 5_000, b"end")
    assert large_objects.read(cursor, loid, 0, 6_000) == bytes(5_000) + b"end"


def test_truncate_cuts_and_extends(cursor):
    loid = large_objects.create(cursor, b"0123456789")
    large_objects.truncate(cursor, loid, 4)
    assert large_objects.read(cursor, loid, 0, 100) == b"0123"
    large_objects.truncate(cursor, loid, 6)
    assert large_objects.read(cursor, loid, 0, 100) == b"0123\0\0"


def test_offsets_above_4_gib(cursor):
    loid = large_objects.create(cursor)
    large_objects.write(cursor, loid, 5 << 30, b"far")
    assert large_objects.size(cursor, loid) == (5 << 30) + 3
    assert large_objects.read(cursor, loid, 5 << 30, 10) == b"far"


@pytest.mark.parametrize(
    "call",
    [
        lambda cursor, loid: large_objects.read(cursor, loid, 0, 1),
        lambda cursor, loid: large_objects.size(cursor, loid),
        lambda cursor, loid: large_objects.write(cursor, loid, 0, b"x"),
        lambda cursor, loid: large_objects.truncate(cursor, loid, 0),
        lambda cursor, loid: large_objects.unlink(cursor, loid),
    ],
)
def test_what_does_not_exist_leaves_the_transaction_usable(cursor, call):
    loid = large_objects.create(cursor)
    large_objects.unlink(cursor, loid)
    with pytest.raises(FileNotFoundError, match="no such large object"):
        call(cursor, loid)
    assert cursor.execute("select 1").fetchone() == (1,)


def test_the_end_of_a_large_object(cursor):
    loid = large_objects.create(cursor)
    with pytest.raises(OSError, match="ends at 4398046509056 bytes; 4398046509057 were asked for"):
        large_objects.write(cursor, loid, MAX_SIZE, b"x")
    with pytest.raises(OSError, match="ends at"):
        large_objects.truncate(cursor, loid, MAX_SIZE + 1)
    large_objects.truncate(cursor, loid, MAX_SIZE)
    large_objects.write(cursor, loid, MAX_SIZE - 1, b"x")
    assert large_objects.read(cursor, loid, MAX_SIZE - 1, 10) == b"x"


def test_long_content_comes_in_rows_of_one_moment(cursor):
    content = os.urandom(2 * ROW_SIZE + 5)
    loid = large_objects.create(cursor, content)
    rows = large_objects.read_rows(cursor, loid, 0)
    assert [len(row) for row in rows] == [ROW_SIZE, ROW_SIZE, 5]
    end = ROW_SIZE + 7
    assert b"".join(large_objects.read_rows(cursor, loid, 3, end)) == content[3:end]
    assert b"".join(large_objects.read_rows(cursor, loid, 3 * ROW_SIZE)) == b""


def test_without_django_the_example_of_the_docstring_runs(other_session):
    _, _, example = large_objects.__doc__.partition("::\n\n")
    example, _, _ = example.partition("\n\nNothing here")
    info = other_session.info
    environment = {key: value for key, value in os.environ.items() if "DJANGO" not in key}
    environment |= {
        "PGHOST": info.host,
        "PGPORT": str(info.port),
        "PGUSER": info.user,
        "PGPASSWORD": info.password,
        "PGDATABASE": info.dbname,
    }
    done = subprocess.run(
        [sys.executable, "-c", f"{dedent(example)}\nimport sys\nprint('django' in sys.modules)"],
        cwd=Path(lo_storage.__file__).parent.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("b'hello, world'\nFalse\n", "")
