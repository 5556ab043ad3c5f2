"""The answer to any request, compared with a small model of RFC 9110."""

from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.utils import format_datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lo_storage.catalogue import Entry
from lo_storage.serving.answers import answer
from lo_storage.serving.headers import describe, etag
from lo_storage.serving.ranges import MAX_RANGES

MOMENT = datetime(2026, 3, 2, 12, 30, 5, 123456, tzinfo=UTC)
# Positions and sizes are drawn in units, so that parts are longer than what stands around them.
UNIT = 500
LETTERS = b"".join(bytes([letter]) * UNIT for letter in range(ord("0"), ord("z") + 1))
HEAD = "\r\n--{0:032}\r\nContent-Type: text/plain\r\nContent-Range: {1}\r\n\r\n"
END = "\r\n--{0:032}--\r\n"


SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def an_entry(size, version=1, content=None):
    return Entry(16418, "16418.txt", "march.txt", size, SHA256, version, MOMENT, MOMENT, content)


TAG = etag(an_entry(0))
OTHERS = ['"other"', '"a,b"', '""', 'W/"other"', '"*"']


def date(seconds):
    return format_datetime(MOMENT + timedelta(seconds=seconds), usegmt=True)


# Each header is drawn with what it means, so that the model parses nothing.
tags = st.one_of(
    st.just(("*", {"*"})),
    st.lists(st.sampled_from([TAG, f"W/{TAG}", *OTHERS])).map(lambda t: (", ".join(t), set(t))),
    st.sampled_from([(text, set()) for text in ("nonsense", TAG[1:], TAG.strip('"'), "w/" + TAG)]),
)
dates = st.one_of(
    st.integers(-2, 2).map(lambda seconds: (date(seconds), seconds)),
    st.just(("Thu, 01 Jan 1970 00:00:00 GMT", -(10**10))),
    st.sampled_from(
        [
            (text, None)
            for text in (
                *("", "nonsense", "2026-03-02 12:30:05", "Mon, 02 Mar 2026 12:30:05 +0000"),
                "Mon, 01 Jan 2024 00:00:00 +99999999999999",
            )
        ]
    ),
)
if_range = st.one_of(
    st.just((TAG, "etag")),
    st.just((date(0), "date")),
    st.sampled_from([f"W/{TAG}", *OTHERS, date(-1), date(1), "nonsense", ""]).map(
        lambda text: (text, "neither")
    ),
)
positions = st.one_of(st.integers(0, 20), st.sampled_from([10**19, 10**30]))
spec = st.one_of(
    st.tuples(positions, st.one_of(st.none(), positions)),
    positions.map(lambda length: (None, length)),
)
range_header = st.one_of(
    st.tuples(
        st.sampled_from(["bytes=", "Bytes="]),
        st.lists(spec, min_size=1, max_size=8),
        st.sampled_from([",", ", ", " ,\t", ",,"]),
    ).map(lambda drawn: (drawn[0] + drawn[2].join(written(s) for s in drawn[1]), drawn[1])),
    st.integers(MAX_RANGES - 1, MAX_RANGES + 1).map(
        lambda n: ("bytes=" + ",".join(["500-999"] * n), [(1, 1)] * n)
    ),
    st.sampled_from(
        [
            (text, None)
            for text in (
                *("", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=0-0,x", "lines=0-1"),
                *("bytes=0-0;1-1", "bytes=0x0-1", "bytes=1.5-2", "bytes=--1", "bytes= , "),
            )
        ]
    ),
)


def written(spec):
    """Return a range of bytes: the units from the first to the last, or so many at the end."""
    first, last = spec
    if first is None:
        return f"-{last * UNIT}"
    return f"{first * UNIT}-{'' if last is None else (last + 1) * UNIT - 1}"


def answered(method, headers, size, version):
    """Return the status, and the parts of the content, each with its Content-Range, by the RFC.

    Argument: the size in units.
    """
    # 13.2.2, steps 1 to 4; 13.1.1 compares strongly, 13.1.2 weakly.
    if "If-Match" in headers:
        if not headers["If-Match"] & {"*", TAG}:
            return 412, []
    elif (since := headers.get("If-Unmodified-Since")) is not None and since < 0:
        return 412, []
    if "If-None-Match" in headers:
        if headers["If-None-Match"] & {"*", TAG, f"W/{TAG}"}:
            return 304, []
    elif (since := headers.get("If-Modified-Since")) is not None and since >= 0:
        return 304, []
    if method == "HEAD":  # 9.3.2, 14.2
        return 200, []
    whole = 200, [(None, LETTERS[: size * UNIT])]
    # Step 5; a date is strong where the content never changed.
    current = headers.get("If-Range", "etag") in ({"etag", "date"} if version == 1 else {"etag"})
    specs = headers.get("Range")
    if not current or specs is None or len(specs) > MAX_RANGES:
        return whole
    if any(first is not None and last is not None and last < first for first, last in specs):
        return whole
    chosen = [
        {
            position
            for position in range(size)
            if (position >= size - last if first is None else position >= first)
            and (first is None or last is None or position <= last)
        }
        for first, last in specs
    ]
    runs = []  # Each byte once, and neighbours together; in the order of the request.
    for asked in chosen:
        for position in sorted(asked):
            if not any(position in run for run in runs):
                run = {position}
                while grown := {p for p in set().union(*chosen) - run if {p - 1, p + 1} & run}:
                    run |= grown
                runs.append(run)
    if not runs:
        if not size and any(first is None and last for first, last in specs):
            return whole
        return 416, [(f"bytes */{size * UNIT}", b"")]
    spans = [(min(run) * UNIT, (max(run) + 1) * UNIT) for run in runs]
    parts = [(f"bytes {start}-{end - 1}/{size * UNIT}", LETTERS[start:end]) for start, end in spans]
    # 14.2, 17.15: no more than the whole.
    length = sum(len(HEAD.format(0, of)) + len(part) for of, part in parts) + len(END.format(0))
    return whole if len(parts) > 1 and length > size * UNIT else (206, parts)


@settings(max_examples=1_000, deadline=None)
@given(
    method=st.sampled_from(["GET"] * 4 + ["HEAD"]),
    drawn=st.one_of(
        st.fixed_dictionaries({"Range": range_header}, optional={"If-Range": if_range}),
        st.fixed_dictionaries(
            {},
            optional={
                "Range": range_header,
                "If-Range": if_range,
                "If-Match": tags,
                "If-Unmodified-Since": dates,
                "If-None-Match": tags,
                "If-Modified-Since": dates,
            },
        ),
    ),
    size=st.integers(0, 15),
    version=st.integers(1, 2),
)
@example("GET", {"Range": ("bytes=0-499,2000-2999", [(0, 0), (4, 5)])}, 10, 1)
@example("GET", {"Range": ("bytes=2500-3499,0-2499", [(5, 6), (0, 4)])}, 10, 1)
@example("GET", {"Range": ("bytes=-500", [(None, 1)])}, 0, 1)
@example("GET", {"Range": (f"bytes={10**30}-{10**29}", [(10**30, 10**29)])}, 0, 1)
@example("GET", {"Range": ("bytes=0-", [(0, None)])}, 0, 1)
def test_any_request(method, drawn, size, version):
    entry = an_entry(size * UNIT, version, LETTERS[: size * UNIT])
    described = {**describe(entry), "ETag": TAG}
    status, sent, segments = answer(
        method, {name: header for name, (header, _) in drawn.items()}, entry, described
    )
    body = b"".join(s if isinstance(s, bytes) else LETTERS[slice(*s)] for s in segments)

    meant = {name: meaning for name, (_, meaning) in drawn.items()}
    expected_status, parts = answered(method, meant, size, version)
    assert status == expected_status
    if len(parts) > 1:
        assert parts_of(sent.pop("Content-Type"), body) == parts
        assert described.pop("Content-Type") == "text/plain"
    else:
        expected_range, content = parts[0] if parts else (None, b"")
        assert (sent.pop("Content-Range", None), body) == (expected_range, content)
    # 8.6, 15.4.5, 15.5.17
    length = {200: str(size * UNIT), 304: None}.get(status, str(len(body)))
    assert sent.pop("Content-Length", None) == length
    if status >= 400:
        for name in ("Content-Type", "Content-Disposition", "Repr-Digest"):
            del described[name]
    assert sent == described


def parts_of(content_type, body):
    """Return the parts of a multipart body, each with its Content-Range, as e-mail has them."""
    assert content_type.startswith("multipart/byteranges; boundary=")
    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    assert message.defects == []
    assert (message.preamble or "", message.epilogue or "") == ("", "")
    parts = message.get_payload()
    assert {part["Content-Type"] for part in parts} == {"text/plain"}
    return [(part["Content-Range"], part.get_payload(decode=True)) for part in parts]


def test_parts_to_the_letter():
    entry = an_entry(3_000_000)
    headers = {"Range": "bytes=-2,0-0"}
    first, second = (answer("GET", headers, entry, describe(entry)) for _ in range(2))
    boundary = first.headers["Content-Type"].removeprefix("multipart/byteranges; boundary=")
    assert len(boundary) == 32
    assert first.segments == [
        f"\r\n--{boundary}\r\nContent-Type: text/plain\r\n"
        f"Content-Range: bytes 2999998-2999999/3000000\r\n\r\n".encode(),
        (2_999_998, 3_000_000),
        f"\r\n--{boundary}\r\nContent-Type: text/plain\r\n"
        f"Content-Range: bytes 0-0/3000000\r\n\r\n".encode(),
        (0, 1),
        f"\r\n--{boundary}--\r\n".encode(),
    ]
    assert boundary not in second.headers["Content-Type"]


@pytest.mark.parametrize(
    ("size", "content", "most"),
    [
        (200, bytes(200), 0),
        (5_000, bytes(5_000), 49),
        (300_000, None, 4),
        (1_000_000, None, 15),
        (10_000_000, None, MAX_RANGES),
    ],
)
def test_ranges_never_cost_more_than_the_file_is_long(size, content, most):
    entry = an_entry(size, content=content)
    described = describe(entry)

    def status(ranges):
        asked = ",".join(f"{2 * n}-{2 * n}" for n in range(ranges))
        return answer("GET", {"Range": f"bytes={asked}"}, entry, described).status

    allowed = [n for n in range(2, MAX_RANGES + 1) if status(n) == 206]
    assert allowed == list(range(2, most + 1))


def test_dates_are_compared_with_the_date_that_was_sent():
    ahead = datetime.now(UTC) + timedelta(minutes=5)
    entry = an_entry(10)._replace(modified_at=ahead)
    described = describe(entry)
    sent = described["Last-Modified"]

    def status(name):
        return answer("GET", {"Range": "bytes=0-0", name: sent}, entry, described).status

    assert status("If-Unmodified-Since") == 206
    assert status("If-Modified-Since") == 304
    assert status("If-Range") == 206
