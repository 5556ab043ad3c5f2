import pytest

from lo_storage.serving.ranges import MAX_RANGES, RangeNotSatisfiable, parse


@pytest.mark.parametrize(
    ("header", "spans"),
    [
        ("bytes=0-0", [(0, 1)]),
        ("bytes=0-", [(0, 10)]),
        ("bytes=2-4", [(2, 5)]),
        ("bytes=9-9", [(9, 10)]),
        ("bytes=5-99", [(5, 10)]),
        ("bytes=-3", [(7, 10)]),
        ("bytes=-20", [(0, 10)]),
        ("BYTES= 1-2 ", [(1, 3)]),
        ("bytes=0-" + "9" * 5_000, [(0, 10)]),
        ("bytes=" + "0" * 5_000 + "1-1", [(1, 2)]),
        ("bytes=0-1,4-5", [(0, 2), (4, 6)]),
        ("bytes=,\t0-1 , ,4-5,", [(0, 2), (4, 6)]),
        # In the order of the request.
        ("bytes=-1,0-0,4-5", [(9, 10), (0, 1), (4, 6)]),
        # One that is outside of the content goes.
        ("bytes=10-,4-5,-0", [(4, 6)]),
        # Those that overlap or touch are one, in the place of the first of them.
        ("bytes=0-4,2-6", [(0, 7)]),
        ("bytes=0-4,5-6", [(0, 7)]),
        ("bytes=5-6,0-4", [(0, 7)]),
        ("bytes=0-9,3-4", [(0, 10)]),
        ("bytes=8-8,0-1,4-5,2-3", [(8, 9), (0, 6)]),
        ("bytes=4-5,9-9,0-1,1-4", [(0, 6), (9, 10)]),
        ("bytes=1-1,3-3,5-5,0-9", [(0, 10)]),
        ("bytes=0-0,0-0", [(0, 1)]),
        ("bytes=" + ",".join(["0-0"] * MAX_RANGES), [(0, 1)]),
    ],
)
def test_success(header, spans):
    assert parse(header, 10) == spans


@pytest.mark.parametrize(
    "header",
    [
        *("", "bytes", "bytes=", "bytes=-", "bytes=4-2", "bytes=a-b", "bytes=--1", "bytes=1.0-2"),
        *("items=0-1", "bytes=٠-١", "bytes=0-1\n", "bytes:0-1", "bytes=+1-2", "bytes =0-1"),
        *("bytes=0-1,a", "bytes=0-1,4-2", "bytes=0-1;4-5", "bytes=,", "bytes=0-1,bytes=4-5"),
        f"bytes={10**30}-{10**29}",
        "bytes=" + ",".join(["0-0"] * (MAX_RANGES + 1)),
    ],
)
def test_ignored(header):
    assert parse(header, 10) is None


def test_the_end_of_nothing_is_satisfiable_and_has_no_range():
    assert parse("bytes=-1", 0) is None
    assert parse("bytes=0-,-5", 0) is None


@pytest.mark.parametrize(
    ("header", "size"),
    [
        ("bytes=10-", 10),
        ("bytes=10-20", 10),
        ("bytes=-0", 10),
        ("bytes=0-", 0),
        ("bytes=-0", 0),
        ("bytes=10-,-0,99-100", 10),
        ("bytes=" + "9" * 5_000 + "-", 10),
    ],
)
def test_not_satisfiable(header, size):
    with pytest.raises(RangeNotSatisfiable) as caught:
        parse(header, size)
    assert caught.value.size == size
