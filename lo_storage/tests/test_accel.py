import re
import time
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.signing import TimestampSigner, b62_encode
from django.db import connection
from django.http import Http404, HttpResponse
from django.test import Client, RequestFactory
from django.urls import include, path, resolve

from lo_storage import accel
from lo_storage.catalogue import FIND, FIND_AND_READ, READ_VERSION, SMALL_SIZE
from lo_storage.models import LargeObject
from lo_storage.serving.headers import POLICY, etag
from lo_storage.storage import DbFileStorage, db_file_storage
from lo_storage.views import db_serve

from .databases import rows_are_of_tenants, sql

pytestmark = pytest.mark.django_db

CONTENT = bytes(range(256)) * 2_000


def handler404(request, exception):
    return HttpResponse(status=404)


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


def address(response):
    return response["X-Accel-Redirect"]


def key(response):
    """What the cache knows a content by."""
    return address(response).partition("?")[0]


def content(address, method="GET", **headers):
    request = RequestFactory().generic(method, address, headers=headers)
    view, _, found = resolve(request.path)
    return view(request, **found)


def test_nginx_is_told_where_the_content_is(name, settings):
    settings.PG_LO_STORAGE_X_ACCEL = False
    itself = dict(ask(name).headers)
    settings.PG_LO_STORAGE_X_ACCEL = True
    response = ask(name)
    assert (response.status_code, body(response)) == (200, b"")
    assert re.fullmatch(r"/x-accel/[\w-]+\?[\w:-]+", address(response))
    del response["X-Accel-Redirect"]
    itself["X-Accel-Content-Disposition"] = itself.pop("Content-Disposition")
    assert dict(response.headers) == {**itself, "Content-Length": "0"}


def test_a_range_nginx_sends_of_the_whole(name):
    response = ask(name, Range="bytes=5-9")
    assert (response.status_code, body(response)) == (200, b"")
    assert "Content-Range" not in response
    assert key(response) == key(ask(name))


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
        body(content(address(response), Range="bytes=0-299999"))
    assert round_trips == [FIND, READ_VERSION]


def test_a_slice(name):
    response = content(address(ask(name)), Range="bytes=1000-1999")
    assert (response.status_code, body(response)) == (206, CONTENT[1000:2000])
    entry = LargeObject.objects.get()
    last_modified = ask(name)["Last-Modified"]
    assert dict(response.headers) == {
        "Accept-Ranges": "bytes",
        "Content-Length": "1000",
        "Content-Range": f"bytes 1000-1999/{len(CONTENT)}",
        "ETag": etag(entry),
        "Last-Modified": last_modified,
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": POLICY,
    }


def test_without_slices_the_whole(name):
    response = content(address(ask(name)))
    assert (response.status_code, body(response)) == (200, CONTENT)


@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_nginx_asks_by_get(name, method):
    assert content(address(ask(name)), method).status_code == 405


class Signed:
    """What an address is made of."""

    def __init__(self, address):
        self.of = TimestampSigner(salt="lo_storage.accel").unsign_object(
            address.removeprefix("/x-accel/").replace("?", ":")
        )

    def by(self, signer):
        return f"/x-accel/{signer.sign_object(self.of).replace(':', '?', 1)}"


def test_nobody_else_makes_an_address(name, save):
    there, other = address(ask(name)), address(ask(save(CONTENT)))
    signature = there.partition("?")[2]
    for forged in [
        *("/x-accel/", "/x-accel/a", "/x-accel/a?b", "/x-accel/a?b:c", there[:-1]),
        there.partition("?")[0],
        f"{other.partition('?')[0]}?{signature}",
        Signed(there).by(TimestampSigner(key="another", salt="lo_storage.accel")),
        Signed(there).by(TimestampSigner()),
    ]:
        with pytest.raises(Http404):
            content(forged)


@pytest.mark.parametrize(("seconds_too_late", "status"), [(-60, 200), (60, 404)])
def test_an_address_opens_for_as_long_as_a_download_may_take(name, seconds_too_late, status):
    class Then(TimestampSigner):
        def timestamp(self):
            ago = accel.LONGEST_DOWNLOAD.total_seconds() + seconds_too_late
            return b62_encode(int(time.time() - ago))

    then = Signed(address(ask(name))).by(Then(salt="lo_storage.accel"))
    assert Client().get(then).status_code == status
    assert then.partition("?")[0] == key(ask(name))


def test_what_the_key_before_signed_holds(name, settings):
    there = address(ask(name))
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    assert body(content(there)) == CONTENT
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(Http404):
        content(there)
    assert there.partition("?")[0] == key(ask(name))  # what nginx has it keeps


@pytest.mark.parametrize(
    "changed",
    [
        {"version": 2},
        {"sha256": None},
        *({moment: timedelta(microseconds=1)} for moment in ("created_at", "modified_at")),
    ],
)
def test_whatever_is_another_content_has_another_address(name, changed):
    before = ask(name)
    entry = LargeObject.objects.get()
    values = {
        key: getattr(entry, key) + value if isinstance(value, timedelta) else value
        for key, value in changed.items()
    }
    LargeObject.objects.update(**values)
    assert key(ask(name)) != key(before)
    is_asked_for_again(content(address(before)))


def is_asked_for_again(response):
    assert (response.status_code, response["Retry-After"]) == (503, "1")
    assert body(response) == b"The file was changed a moment ago. Please ask for it again.\n"


def test_what_is_gone(name):
    there = address(ask(name))
    db_file_storage.delete(name)
    with pytest.raises(Http404):
        content(there)


def test_a_file_that_changes_while_it_is_looked_for(name, monkeypatch):
    there = address(ask(name))

    def answer_later(*given):
        monkeypatch.undo()
        db_file_storage.delete(name)
        return accel.answer(*given)

    monkeypatch.setattr(accel, "answer", answer_later)
    is_asked_for_again(content(there))


def test_the_database_of_another_storage(another_alias, transactional_db):
    another_alias("other")
    storage = DbFileStorage(alias="other")
    name = storage.save("march.pdf", ContentFile(CONTENT))
    there = address(ask(name, storage=storage))
    alias, *_ = Signed(there).of
    assert alias == "other"
    assert body(content(there)) == CONTENT
    assert key(ask(name)) != key(ask(name, storage=storage))


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
    assert client.get(address(ask(name))).getvalue() == CONTENT


def tenant_of(part_of):
    """Middleware by which the database knows whose request it is, as PostgreSQL's policies ask."""

    def middleware(get_response):
        def answer(request):
            with connection.cursor() as cursor:
                tenant = request.headers.get(part_of, "").partition(".")[0]
                cursor.execute("select set_config('files.tenant', %s, true)", [tenant])
            return get_response(request)

        return answer

    return middleware


by_host, by_cookie = tenant_of("Host"), tenant_of("Cookie")


@pytest.mark.parametrize(
    ("middleware", "asked", "status"),
    [("by_host", {"Host": "a.example.com"}, 200), ("by_cookie", {"Cookie": "a"}, 404)],
)
def test_tenants_are_known_by_their_host_and_not_by_who_asks(
    save, settings, middleware, asked, status
):
    settings.MIDDLEWARE, settings.ALLOWED_HOSTS = [f"{__name__}.{middleware}"], [".example.com"]
    sql("select set_config('files.tenant', 'a', true)")
    rows_are_of_tenants()
    name = save(CONTENT)
    client = Client(headers={"Host": "a.example.com"})
    there = address(client.get(f"/files/{name}", headers=asked))
    assert client.get(there).status_code == status
    another = {header: value.replace("a", "b", 1) for header, value in asked.items()}
    assert client.get(f"/files/{name}", headers=another).status_code == 404
