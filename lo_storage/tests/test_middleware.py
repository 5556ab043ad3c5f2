"""`db_serve` behind middleware that compresses, answers conditions, or serves files of its own."""

from importlib.util import find_spec

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client
from django.urls import path

from lo_storage.models import LargeObject
from lo_storage.serving.headers import etag
from lo_storage.views import adb_serve, db_serve

pytestmark = pytest.mark.django_db

CONTENT = b"compressible " * 100_000


async def serve_async(request, filename):
    return await adb_serve(request, filename, as_attachment=True)


urlpatterns = [path("sync/<filename>", db_serve), path("async/<filename>", serve_async)]


@pytest.fixture(autouse=True)
def behind_middleware(settings, tmp_path):
    (tmp_path / "style.css").write_text("body {}")
    settings.STATIC_ROOT, settings.STATIC_URL = tmp_path, "/static/"
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [
        # A project may have none.
        *(["whitenoise.middleware.WhiteNoiseMiddleware"] if find_spec("whitenoise") else []),
        "django.middleware.gzip.GZipMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
        "django.middleware.common.CommonMiddleware",
    ]


def wsgi(address, method="get", **headers):
    response = getattr(Client(), method)(address, headers={"Accept-Encoding": "gzip", **headers})
    return response, b"".join(response)


@async_to_sync
async def asgi(address, method="get", **headers):
    client = AsyncClient()
    response = await getattr(client, method)(
        address, headers={"Accept-Encoding": "gzip", **headers}
    )
    content = response.streaming_content
    if not hasattr(content, "__aiter__"):  # The client has removed what is not to be sent.
        return response, b"".join(content)
    return response, b"".join([row async for row in content])


@pytest.fixture(params=[(wsgi, "/sync/"), (asgi, "/sync/"), (asgi, "/async/")])
def ask(request, save):
    """A function that asks for the file, through a server of either kind and a view of either."""
    send, address = request.param
    name = save(CONTENT, "march.txt")

    def ask(method="get", **headers):
        response, body = send(address + name, method, **headers)
        assert not {"Content-Encoding", "Vary"} & {*response.headers}
        assert response.get("ETag") == etag(LargeObject.objects.get())
        return response, body

    return ask


@pytest.mark.parametrize("send", [wsgi, asgi])
def test_whitenoise_is_in_front(send):
    pytest.importorskip("whitenoise", reason="the project may have no whitenoise")
    response, body = send("/static/style.css")
    assert (response.status_code, body) == (200, b"body {}")


def test_the_whole_file_comes_as_it_is(ask):
    response, body = ask()
    assert (response.status_code, body) == (200, CONTENT)
    assert response["Content-Length"] == str(len(CONTENT))


def test_head_is_as_get(ask):
    assert dict(ask("head")[0].headers) == dict(ask()[0].headers)
    assert ask("head")[1] == b""


def test_a_range_comes_as_it_is(ask):
    response, body = ask(Range="bytes=13-1000012")
    assert (response.status_code, body) == (206, CONTENT[13:1_000_013])
    assert response["Content-Range"] == f"bytes 13-1000012/{len(CONTENT)}"
    assert response["Content-Length"] == "1000000"


def test_several_ranges_come_as_they_are(ask):
    response, body = ask(Range="bytes=0-999,5000-5999")
    assert (response.status_code, len(body)) == (206, int(response["Content-Length"]))
    assert body.count(CONTENT[:1000]) == 1
    assert body.count(CONTENT[5000:6000]) == 1


def test_conditions_have_one_answer(ask):
    validator = ask()[0]["ETag"]
    for status, headers in [
        (304, {"If-None-Match": validator}),
        (304, {"If-None-Match": f"W/{validator}", "Range": "bytes=0-0"}),
        (412, {"If-Match": '"other"'}),
        (416, {"Range": f"bytes={len(CONTENT)}-"}),
    ]:
        response, body = ask(**headers)
        assert (response.status_code, body) == (status, b"")
        assert response.get("Content-Length") == (None if status == 304 else "0")
        assert response["Content-Security-Policy"].endswith("; sandbox")
        assert ("Content-Type" in response) == (status == 304)
