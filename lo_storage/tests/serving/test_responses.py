import gzip

import pytest
from asgiref.sync import async_to_sync
from django.http import HttpResponse
from django.middleware.gzip import GZipMiddleware
from django.test import AsyncRequestFactory, RequestFactory

from lo_storage.serving.answers import Answer
from lo_storage.serving.responses import is_asgi, respond
from lo_storage.storage import db_file_storage

pytestmark = pytest.mark.django_db

CONTENT = b"compressible " * 1_000


@pytest.fixture
def entry(save):
    return db_file_storage.entry(save(CONTENT))


def test_the_kind_of_server():
    assert not is_asgi(RequestFactory().get("/"))
    assert is_asgi(AsyncRequestFactory().get("/"))


def test_under_wsgi(entry):
    answer = Answer(206, {"X-Part": "b"}, [b"begin ", (2, 12)])
    response = respond(RequestFactory().get("/"), "default", entry, answer)
    assert (response.status_code, dict(response.headers)) == (206, {"X-Part": "b"})
    assert b"".join(response) == b"begin " + CONTENT[2:12]


def test_under_asgi(entry):
    answer = Answer(200, {"Content-Type": "text/plain"}, [(0, 12)])
    response = respond(AsyncRequestFactory().get("/"), "default", entry, answer)
    assert dict(response.headers) == {"Content-Type": "text/plain"}

    async def read():
        return b"".join([row async for row in response])

    assert async_to_sync(read)() == CONTENT[:12]


def test_nobody_compresses_it(entry):
    request = RequestFactory().get("/", headers={"Accept-Encoding": "gzip"})
    answer = Answer(200, {"Content-Length": str(len(CONTENT))}, [(0, len(CONTENT))])
    ours = respond(request, "default", entry, answer)
    passed = GZipMiddleware(lambda request: ours)(request)
    assert dict(passed.headers) == answer.headers
    assert b"".join(passed) == CONTENT
    others = GZipMiddleware(lambda request: HttpResponse(CONTENT))(request)
    assert gzip.decompress(others.content) == CONTENT
