import re
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.signing import Signer
from django.http import Http404
from django.test import Client, RequestFactory
from django.urls import include, path

from lo_storage import accel
from lo_storage.catalogue import FIND, FIND_AND_READ, READ_VERSION, SMALL_SIZE
from lo_storage.models import LargeObject
from lo_storage.serving.headers import etag
from lo_storage.storage import DbFileStorage, db_file_storage
from lo_storage.views import db_serve

pytestmark = pytest.mark.django_db

CONTENT = bytes(range(256)) * 2_000

urlpatterns = [
    path("files/<path:filename>", db_serve),
    path("x-accel/", include("lo_storage.accel")),
]


@pytest.fixture(autouse=True)
def on(settings):
    settings.ROOT_URLCONF = __name__
    settings.PG_LO_STORAGE_X_ACCEL = True
    settings.SECURE_SSL_REDIRECT = False


@pytest.fixture
def name(save):
    return save(CONTENT, "march.pdf")


def ask(name, method="GET", storage=db_file_storage, **headers):
    return db_serve(RequestFactory().generic(method, "/", headers=headers), name, storage=storage)


def body(response):
    return b"".join(response)


def signed(response):
    return response["X-Accel-Redirect"].removeprefix("/x-accel/")


def content(signed, **headers):
    return accel.content(RequestFactory().get("/", headers=headers), signed)


def test_nginx_is_told_where_the_content_is(name, settings):
    settings.PG_LO_STORAGE_X_ACCEL = False
    itself = dict(ask(name).headers)
    settings.PG_LO_STORAGE_X_ACCEL = True
    response = ask(name)
    assert (response.status_code, body(response)) == (200, b"")
    address = response["X-Accel-Redirect"]
    del response["X-Accel-Redirect"]
    assert re.fullmatch(r"/x-accel/[\w:-]+", address)
    assert dict(response.headers) == {**itself, "Content-Length": "0"}


def test_a_range_nginx_sends_of_the_whole(name):
    response = ask(name, Range="bytes=5-9")
    assert (response.status_code, body(response)) == (200, b"")
    assert "Content-Range" not in response
    assert signed(response) == signed(ask(name))


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("HEAD", {}, 200),
        ("GET", {"If-None-Match": "*"}, 304),
        ("GET", {"If-Match": '"other"'}, 412),
        ("GET", {"If-Match": "*"}, 200),
        ("GET", {"If-Unmodified-Since": "yesterday"}, 200),
        ("GET", {"Range": "bytes=600000-"}, 416),
        ("GET", {"Range": "bytes=0-1,5-6"}, 206),
        ("GET", {"Range": "bytes= 0-1"}, 206),
        ("GET", {"Range": "bytes=5-1"}, 200),
        ("GET", {"Range": "lines=1-2"}, 200),
        ("GET", {"Range": "bytes=5-9", "If-Range": '"other"'}, 200),
    ],
)
def test_what_nginx_would_answer_otherwise_is_answered_here(name, method, headers, status):
    response = ask(name, method, **headers)
    assert (response.status_code, "X-Accel-Redirect" in response) == (status, False)


@pytest.mark.parametrize(("size", "handed"), [(SMALL_SIZE - 1, False), (SMALL_SIZE, True)])
def test_what_is_small_is_here_already(save, size, handed):
    name = save(bytes(size))
    for headers in ({}, {"If-None-Match": '"other"'}):
        assert ("X-Accel-Redirect" in ask(name, **headers)) is handed


def test_round_trips(name, round_trips):
    with round_trips:
        response = ask(name)
        body(response)
    assert round_trips == [FIND_AND_READ]
    round_trips.clear()
    with round_trips:
        body(content(signed(response), Range="bytes=0-299999"))
    assert round_trips == [FIND, READ_VERSION]


def test_a_slice(name):
    response = content(signed(ask(name)), Range="bytes=1000-1999")
    assert (response.status_code, body(response)) == (206, CONTENT[1000:2000])
    entry = LargeObject.objects.get()
    last_modified = ask(name)["Last-Modified"]
    assert dict(response.headers) == {
        "Accept-Ranges": "bytes",
        "Content-Length": "1000",
        "Content-Range": f"bytes 1000-1999/{len(CONTENT)}",
        "ETag": etag(entry),
        "Last-Modified": last_modified,
    }


def test_without_slices_the_whole(name):
    response = content(signed(ask(name)))
    assert (response.status_code, body(response)) == (200, CONTENT)


@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_nginx_asks_by_get(name, method):
    request = RequestFactory().generic(method, "/")
    assert accel.content(request, signed(ask(name))).status_code == 405


def test_nobody_else_makes_an_address(name):
    address = signed(ask(name))
    others = Signer(key="another", salt="lo_storage.accel").sign_object(
        Signer(salt="lo_storage.accel").unsign_object(address)
    )
    purpose = Signer().sign_object(Signer(salt="lo_storage.accel").unsign_object(address))
    for forged in ["", "a", "a:b", address[:-1], others, purpose]:
        with pytest.raises(Http404):
            content(forged)


def test_what_the_key_before_signed_holds(name, settings):
    address = signed(ask(name))
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    assert body(content(address)) == CONTENT
    assert signed(ask(name)) != address


@pytest.mark.parametrize(
    "changed",
    [
        {"version": 2},
        {"sha256": None},
        *({moment: timedelta(microseconds=1)} for moment in ("created_at", "modified_at")),
    ],
)
def test_whatever_is_another_content_has_another_address(name, changed):
    address = signed(ask(name))
    entry = LargeObject.objects.get()
    values = {
        key: getattr(entry, key) + value if isinstance(value, timedelta) else value
        for key, value in changed.items()
    }
    LargeObject.objects.update(**values)
    assert signed(ask(name)) != address
    with pytest.raises(Http404):
        content(address)


def test_what_is_gone(name):
    address = signed(ask(name))
    db_file_storage.delete(name)
    with pytest.raises(Http404):
        content(address)


def test_a_file_that_changes_while_it_is_looked_for(name, monkeypatch):
    address = signed(ask(name))

    def answer_later(*given):
        monkeypatch.undo()
        db_file_storage.delete(name)
        return accel.answer(*given)

    monkeypatch.setattr(accel, "answer", answer_later)
    with pytest.raises(Http404):
        content(address)


def test_the_database_of_another_storage(another_alias, transactional_db):
    another_alias("other")
    storage = DbFileStorage(alias="other")
    name = storage.save("march.pdf", ContentFile(CONTENT))
    address = signed(ask(name, storage=storage))
    alias, *_ = Signer(salt="lo_storage.accel").unsign_object(address)
    assert alias == "other"
    assert body(content(address)) == CONTENT
    assert address != signed(ask(name))


def test_nginx_needs_no_account(name, settings):
    pytest.importorskip("django", minversion="5.1", reason="it has no such middleware")
    settings.MIDDLEWARE = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]
    settings.LOGIN_URL = "/sign-in/"
    client = Client()
    assert client.get(f"/files/{name}").status_code == 302
    assert client.get(f"/x-accel/{signed(ask(name))}").getvalue() == CONTENT
