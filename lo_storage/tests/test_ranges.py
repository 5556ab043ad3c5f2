import pytest

from lo_storage.ranges import RangeNotSatisfiable, parse


@pytest.mark.parametrize(
    ("header", "size", "span"),
    [
        ("bytes=0-0", 10, (0, 1)),
        ("bytes=0-", 10, (0, 10)),
        ("bytes=2-4", 10, (2, 5)),
        ("bytes=9-9", 10, (9, 10)),
        ("bytes=5-99", 10, (5, 10)),
        ("bytes=-3", 10, (7, 10)),
        ("bytes=-20", 10, (0, 10)),
        ("BYTES= 1-2 ", 10, (1, 3)),
        ("bytes=0-" + "9" * 5_000, 10, (0, 10)),
        ("bytes=" + "0" * 5_000 + "1-1", 10, (1, 2)),
    ],
)
def test_success(header, size, span):
    assert parse(header, size) == span


@pytest.mark.parametrize(
    "header",
    [
        *("", "bytes", "bytes=", "bytes=-", "bytes=4-2", "bytes=a-b", "bytes=--1", "bytes=1.0-2"),
        *("items=0-1", "bytes=0-1,4-5", "bytes=٠-١", "bytes=0-1\n", "bytes:0-1", "bytes=+1-2"),
    ],
)
def test_ignored(header):
    assert parse(header, 10) is None


@pytest.mark.parametrize(
    ("header", "size"),
    [
        ("bytes=10-", 10),
        ("bytes=10-20", 10),
        ("bytes=-0", 10),
        ("bytes=0-", 0),
        ("bytes=-1", 0),
        ("bytes=" + "9" * 5_000 + "-", 10),
    ],
)
def test_not_satisfiable(header, size):
    with pytest.raises(RangeNotSatisfiable) as caught:
        parse(header, size)
    assert caught.value.size == size
