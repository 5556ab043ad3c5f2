"""Any sequence of operations on a `DbFileIO` does what it does on a file on disk.

A file on disk stands beside each `DbFileIO` and is the judge. It is the raw file that
`open(path, mode, buffering=0)` gives, which has the interface that `DbFileIO` promises; what a raw
file has not (`read1()`, `readinto1()`) or leaves to the operating system (a `whence` that does not
exist) is judged by what `open(path, mode)` gives, and both go through Python's buffers as well.

Only what docs/how-it-works.md lists under "Where a `DbFileIO` differs" is left out.

LO_STORAGE_SEQUENCES=5000 in the environment tries that many sequences, other ones each time.
"""

import ctypes
import io
import mmap
import os
import tempfile
from array import array
from itertools import islice
from operator import methodcaller
from pathlib import Path

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lo_storage import large_objects
from lo_storage.files import DbFileIO
from lo_storage.large_objects import ROW_SIZE

SEQUENCES = os.environ.get("LO_STORAGE_SEQUENCES")

SPELLINGS = [
    *("rb", "br", "r+b", "rb+", "+rb", "br+", "b+r", "+br"),
    *("wb", "bw", "w+b", "wb+", "+wb", "bw+", "b+w", "+bw"),
    *("ab", "ba", "a+b", "ab+", "+ab", "ba+", "b+a", "+ba"),
]


def repeated(unit, length):
    return (unit * (length // len(unit) + 1))[:length]


# Longer than what is read ahead, by a little or by one more time, with short lines and with none.
long_data = st.builds(
    repeated,
    st.sampled_from([b"\n", b"abc\n", b"\0", b"0123456789"])
    | st.integers(60_000, 70_000).map(lambda length: length * b"x" + b"\n"),
    st.sampled_from([ROW_SIZE, 2 * ROW_SIZE]).flatmap(lambda size: st.integers(size - 2, size + 2)),
)
around_a_row = st.integers(ROW_SIZE - 2, ROW_SIZE + 2)
short_data = st.lists(st.sampled_from([b"\n", b"a", b"bc", b"\r\n", b"\xff\0"])).map(b"".join)
data = short_data | short_data | short_data | long_data
sizes = st.one_of(st.none(), st.integers(-2, 12), around_a_row, st.sampled_from([True, 2**24]))
places = st.one_of(
    st.integers(-12, 12),
    st.integers(ROW_SIZE - 3, ROW_SIZE + 3),
    st.integers(0, 2**20),
    st.just(-(2**62)),
)


def mapped(content):
    memory = mmap.mmap(-1, len(content) or 1)
    memory[: len(content)] = content
    return memory


def of_items(code):
    def of(content):
        items = array(code)
        items.frombytes(content[: len(content) // items.itemsize * items.itemsize])
        return items

    return of


def of_others_items(content):
    """Big-endian items, which a memoryview cannot be cast from."""
    return (ctypes.c_int32.__ctype_be__ * (len(content) // 4)).from_buffer_copy(content)


def of_two_dimensions(content):
    return memoryview(repeated(content or b"x", 12)).cast("B", (3, 4))


BUFFERS = [
    *(bytes, bytearray, memoryview, mapped, of_others_items, of_two_dimensions),
    *(lambda content: memoryview(content)[::2], lambda content: memoryview(content)[::-1]),
    *map(of_items, "bHifdq"),
]

WRONG = [
    *[(name, value) for name in ("read", "readline", "readlines") for value in ("x", 1.5, b"1")],
    *[("write", value) for value in ("x", None, 5, [1], 1.5)],
    *[("writelines", value) for value in ("ab", [b"a", "b"], None, 5, b"ab")],
    *[("readinto", value) for value in (b"xx", b"", "x", None, 5)],
    *[("seek", value) for value in ("x", None, 1.5)],
    *[("seek", 0, value) for value in ("x", None, 1.5, 1.0)],
    *[("truncate", value) for value in ("x", 1.5, b"1")],
    *(
        ("seek",),
        ("tell", 1),
        ("read", 1, 2),
        ("write",),
        ("readinto",),
        ("flush", 1),
        ("close", 1),
    ),
]

buffered_steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["peek", "read", "read1", "readline"]), st.integers(0, 20)),
        st.tuples(st.sampled_from(["read", "read1", "readline", "readlines"]), st.just(-1)),
        st.tuples(st.sampled_from(["readinto", "readinto1"]), st.integers(0, 20).map(bytearray)),
        st.tuples(st.just("write"), data),
        st.tuples(st.just("seek"), places, st.integers(0, 2)),
        st.tuples(st.just("truncate"), st.none() | st.integers(0, 30)),
        st.tuples(st.sampled_from(["tell", "flush"])),
    ),
    max_size=8,
)


def outcome(call, file):
    """What `call` gives for a file, or what kind of exception."""
    try:
        result = call(file)
    except Exception as error:
        return type(error), getattr(error, "errno", None)
    if isinstance(result, bytes) and len(result) > 1000:  # pytest would compare it by the line.
        return bytes, len(result), hash(result)
    return (file, "itself") if result is file else (type(result), result)


def keep_what_is_there(path, flags):
    return os.open(path, flags & ~os.O_TRUNC, 0o600)


class SideBySide(RuleBasedStateMachine):
    ran = 0

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "file"
        self.savepoint = transaction.atomic()
        self.savepoint.__enter__()
        self.file = self.judge = None

    @initialize(content=data, mode=st.sampled_from(SPELLINGS), catalogued=st.booleans())
    def open_existing(self, content, mode, catalogued):
        if catalogued:
            with DbFileIO(0, "wb") as file:
                file.write(content)
            self.loid = file.loid
        else:
            with connection.cursor() as cursor:
                cursor.execute("select lo_from_bytea(0, %s)", [content])
                (self.loid,) = cursor.fetchone()
        self.path.write_bytes(content)
        self.file = DbFileIO(self.loid, mode, content_below=ROW_SIZE)
        self.open_judge(mode)

    def open_judge(self, mode):
        # Mode "w" keeps the content, as it does of a large object.
        self.judge = open(self.path, mode, buffering=0, opener=keep_what_is_there)  # noqa: SIM115  # until the end

    def both(self, call):
        ours, judged = outcome(call, self.file), outcome(call, self.judge)
        if ours[0] is self.file:
            ours = self.judge, ours[1]
        assert ours == judged

    def can_read(self):
        return not self.judge.closed and self.judge.readable()

    @rule(mode=st.sampled_from(SPELLINGS))
    def reopen(self, mode):
        self.judge.close()
        self.open_judge(mode)
        assert self.file.open(mode) is self.file

    @rule(size=sizes)
    def read(self, size):
        self.both(lambda file: file.read(size))

    @rule()
    def read_all(self):
        self.both(lambda file: file.read())

    @rule()
    def readall(self):
        if self.judge.closed or self.judge.readable():
            self.both(lambda file: file.readall())
        else:  # The operating system's EBADF, of a raw file; others have no readall().
            with pytest.raises(io.UnsupportedOperation):
                self.file.readall()

    @rule(size=st.integers(-1, 12) | around_a_row)
    def read1(self, size):
        """One of the size -1 may return any part of what follows."""
        data = outcome(lambda file: file.read1(size), self.file)
        if size < 0:
            size = (self.file.tell() - self.judge.tell() if not self.judge.closed else 0) or 1
        assert data == outcome(lambda file: file.read(size), self.judge)

    @rule(
        content=short_data | around_a_row.map(bytes),
        kind=st.sampled_from(BUFFERS),
    )
    def readinto(self, content, kind):
        buffers = [kind(bytearray(content)) for _ in range(2)]
        mine, judged = iter(buffers), buffers[1]
        ours = outcome(lambda file: file.readinto(next(mine)), self.file)
        assert ours == outcome(lambda file: file.readinto(judged), self.judge)
        assert hash(bytes(buffers[0])) == hash(bytes(judged))

    @rule(length=st.integers(0, 12))
    def readinto1(self, length):
        ours, judged = bytearray(length), bytearray(length)
        assert outcome(lambda file: file.readinto1(ours), self.file) == outcome(
            lambda file: file.readinto(judged), self.judge
        )
        assert ours == judged

    @rule(size=sizes)
    def readline(self, size):
        self.both(lambda file: file.readline(size))

    @rule(hint=sizes)
    def readlines(self, hint):
        self.both(lambda file: file.readlines(hint))

    @rule(count=st.integers(0, 5))
    def iterate(self, count):
        self.both(lambda file: [(line, file.tell()) for line in islice(file, count)])

    @rule()
    def next_line(self):
        self.both(lambda file: next(file, None))

    @rule(content=data, kind=st.sampled_from(BUFFERS))
    def write(self, content, kind):
        self.both(lambda file: file.write(kind(content)))

    @rule(content=st.binary(max_size=5))
    def write_a_little(self, content):
        self.both(lambda file: file.write(content))

    @rule(lines=st.lists(short_data, max_size=3), as_iterator=st.booleans())
    def writelines(self, lines, as_iterator):
        self.both(lambda file: file.writelines(iter(lines) if as_iterator else lines))

    @rule(offset=places, whence=st.integers(0, 2))
    def seek(self, offset, whence):
        self.both(lambda file: file.seek(offset, whence))

    @rule(offset=places)
    def seek_from_the_start(self, offset):
        self.both(lambda file: file.seek(offset))

    @rule(whence=st.sampled_from([-1, 5, 99]))
    def seek_from_nowhere(self, whence):
        with open(self.path, "rb") as buffered:
            if self.judge.closed:
                buffered.close()
            judged = outcome(lambda file: file.seek(0, whence), buffered)
        assert outcome(lambda file: file.seek(0, whence), self.file) == judged

    @rule(size=st.none() | places)
    def truncate(self, size):
        self.both(lambda file: file.truncate(size))

    @rule(name=st.sampled_from(["readable", "writable", "seekable", "isatty", "flush", "tell"]))
    def ask(self, name):
        self.both(methodcaller(name))

    @rule(call=st.sampled_from([iter, lambda file: file.__enter__(), lambda file: file.closed]))
    def enter_and_iterate(self, call):
        self.both(call)

    @rule()
    def ask_for_the_descriptor(self):
        with pytest.raises(io.UnsupportedOperation):
            self.file.fileno()

    @precondition(lambda self: not self.judge.closed)
    @rule()
    def ask_for_the_size(self):
        assert self.file.size == self.path.stat().st_size

    @rule(wrong=st.sampled_from(WRONG))
    def use_wrongly(self, wrong):
        name, *values = wrong
        self.both(methodcaller(name, *values))

    @rule(steps=buffered_steps, size=st.sampled_from([1, 7, 8192, ROW_SIZE + 1]))
    @precondition(lambda self: not self.judge.closed)
    def go_through_a_buffer(self, steps, size):
        kind = io.BufferedRandom
        if not self.judge.readable():
            kind = io.BufferedWriter
        elif not self.judge.writable():
            kind = io.BufferedReader
        ours, judged = kind(self.file, size), kind(self.judge, size)
        for name, *values in steps:
            call = methodcaller(name, *values)
            assert outcome(call, ours) == outcome(call, judged)
        assert (ours.detach(), judged.detach()) == (self.file, self.judge)

    @rule()
    def close(self):
        self.both(lambda file: file.close())

    @rule(content=st.binary(max_size=5))
    @precondition(lambda self: not self.judge.closed)
    def use_in_a_with(self, content):
        def use(file):
            with file:
                return file.write(content)

        self.both(use)

    @invariant()
    def has_the_same_state(self):
        if self.file is not None:
            self.both(lambda file: (file.closed, file.closed or file.tell()))

    def teardown(self):
        try:
            if self.file is not None:
                self.file.close()
                self.judge.close()
                with DbFileIO(self.loid) as file:
                    assert hash(file.read()) == hash(self.path.read_bytes())
                with connection.cursor() as cursor:
                    assert large_objects.size(cursor, self.loid) == self.path.stat().st_size
                    assert self.file.size == self.path.stat().st_size
                type(self).ran += 1
            assert not connection.needs_rollback
        finally:
            transaction.set_rollback(True)
            self.savepoint.__exit__(None, None, None)
            self.folder.cleanup()


@pytest.mark.django_db
def test_any_sequence_of_operations_does_what_it_does_on_a_file():
    run_state_machine_as_test(
        SideBySide,
        settings=settings(
            max_examples=int(SEQUENCES or 100),
            stateful_step_count=30,
            derandomize=not SEQUENCES,
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            print_blob=bool(SEQUENCES),
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(f"{SideBySide.ran} sequences without a difference")
