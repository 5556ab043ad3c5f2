from io import BytesIO

import pytest
from django.db import OperationalError
from django.http import UnreadablePostError
from django.test import RequestFactory

from lo_storage.uploads import refusing


class Broken(BytesIO):
    def read(self, *args):
        raise UnreadablePostError


@pytest.mark.parametrize(("length", "left"), [(0, 0), (100_000, 0), (17 * 1024**2, 1024**2)])
def test_a_body_is_read_to_its_end_or_the_bound(length, left):
    body = bytes(length)
    request = RequestFactory().generic("PATCH", "/", body)
    refusing.read_on(request)
    assert len(request.read()) == left


def test_a_body_that_breaks_off_is_the_end():
    request = RequestFactory().generic("PATCH", "/", b"content")
    request._stream = Broken()
    refusing.read_on(request)


@pytest.mark.parametrize(("sqlstate", "status"), [("53100", 507), ("57P01", 503), (None, 503)])
def test_what_has_come_is_kept_and_when_to_go_on_is_told(sqlstate, status):
    error = OperationalError()
    error.__cause__ = Exception()
    error.__cause__.sqlstate = sqlstate
    response = refusing.unavailable(error)
    assert (response.status_code, response.headers["Retry-After"]) == (status, "5")
    assert b"What has come is kept: go on in a moment." in response.content
