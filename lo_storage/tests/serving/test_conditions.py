"""One condition at a time; all of them together are compared with a model in test_answers.py."""

import pytest

from lo_storage.serving.conditions import is_current, unmet

TAG = '"16418-1"'
MODIFIED = 1_000_000_000
AT, BEFORE, AFTER = (f"Sun, 09 Sep 2001 01:46:{second:02} GMT" for second in (40, 39, 41))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, None),
        ({"If-Match": TAG}, None),
        ({"If-Match": f'"other", {TAG}'}, None),
        ({"If-Match": "*"}, None),
        ({"If-Match": '"other"'}, 412),
        ({"If-Match": f"W/{TAG}"}, 412),
        ({"If-Match": "malformed", "If-Unmodified-Since": AT}, 412),
        ({"If-Unmodified-Since": AT}, None),
        ({"If-Unmodified-Since": AFTER}, None),
        ({"If-Unmodified-Since": BEFORE}, 412),
        ({"If-Unmodified-Since": "malformed"}, None),
        ({"If-None-Match": '"other"'}, None),
        ({"If-None-Match": TAG}, 304),
        ({"If-None-Match": f"W/{TAG}"}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": "malformed", "If-Modified-Since": AT}, None),
        ({"If-Modified-Since": BEFORE}, None),
        ({"If-Modified-Since": AT}, 304),
        ({"If-Modified-Since": AFTER}, 304),
        ({"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}, None),
        ({"If-Match": '"other"', "If-None-Match": TAG}, 412),
    ],
)
def test_unmet(headers, status):
    assert unmet(headers, TAG, MODIFIED) == status


def test_the_date_0_is_a_date():
    assert unmet({"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}, TAG, 0) == 304


@pytest.mark.parametrize(
    ("if_range", "expected"),
    [
        (None, True),
        (TAG, True),
        (f" {TAG}", True),
        ('"other"', False),
        (f"W/{TAG}", False),
        (AT, True),
        (BEFORE, False),
        (AFTER, False),
        ("malformed", False),
    ],
)
def test_if_range(if_range, expected):
    assert is_current(if_range, TAG, MODIFIED) is expected


def test_if_range_by_a_date_that_is_no_strong_validator():
    assert is_current(AT, TAG, None) is False
