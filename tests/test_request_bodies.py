"""What a request brings is refused where nobody asked for it, and the refusal arrives."""

from contextlib import closing, contextmanager
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import path

from config.uploads import NoFiles, takes_files
from config.urls import urlpatterns as site
from lo_storage.uploads.models import Upload

from .serving import gunicorn

MiB = 1024 * 1024
COOKIE = {"Cookie": f"csrftoken={32 * 'a'}"}  # without one Django refuses before it reads
FORM = "multipart/form-data; boundary=limit"
BASE64 = b"Content-Transfer-Encoding: base64\r\n\r\n"

pytestmark = pytest.mark.django_db(transaction=True)


def a_file(size):
    head = b'--limit\r\nContent-Disposition: form-data; name="data"; filename="a.bin"\r\n\r\n'
    return head + bytes(size) + b"\r\n--limit--\r\n"


@pytest.fixture
def stranger():
    return Client(enforce_csrf_checks=True, headers=COOKIE, raise_request_exception=False)


@pytest.fixture
def no_disk(settings, tmp_path):
    """Whatever is put into a temporary file is an error."""
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "nowhere"


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/accounts/login/", 403),
        ("/accounts/logout/", 403),
        ("/admin/login/", 403),
        ("/healthz/", 403),
        ("/nothing/here/", 404),
    ],
)
def test_a_stranger_s_file_comes_to_no_disk(address, status, stranger, no_disk):
    answer = stranger.post(address, a_file(3 * MiB), content_type=FORM)
    assert answer.status_code == status


@pytest.mark.parametrize("address", ["/accounts/login/", "/nothing/here/"])
def test_a_form_that_is_none_is_a_bad_request_wherever_it_is_sent(address, stranger):
    answer = stranger.post(address, b"no form", content_type="multipart/form-data; boundary=")
    assert answer.status_code == 400
    assert "This request could not be read" in answer.content.decode()


@takes_files
def counted(request):
    raise AssertionError("a form without a token")


urlpatterns = [path("counted/", counted), *site]
handler400 = "config.errors.bad_request"
handler500 = "config.errors.server_error"


def test_a_file_that_django_takes_comes_to_the_disk(stranger, no_disk, settings):
    """So the ones above would fail, if it did."""
    settings.FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]
    answer = stranger.post("/healthz/", a_file(3 * MiB), content_type=FORM)
    assert answer.status_code == 500


def test_a_stranger_s_file_is_staged_nowhere(stranger, no_disk, settings):
    settings.ROOT_URLCONF = __name__
    answer = stranger.post("/counted/", a_file(3 * MiB), content_type=FORM)
    assert (answer.status_code, Upload.objects.count()) == (403, 0)


def test_a_file_that_nobody_takes_is_told_to_the_developer(stranger, caplog):
    stranger.post("/healthz/", a_file(1), content_type=FORM)
    assert "config.urls.healthz takes no files: decorate it by takes_files" in caplog.messages
    assert NoFiles.__module__ in {record.name for record in caplog.records}


@pytest.fixture
def server(tmp_path):
    with gunicorn(tmp_path) as (_, address, _):
        yield urlsplit(address)


@contextmanager
def begun(server, target, length, **headers):
    """A connection on which a request has begun, of which nothing but the head is sent."""
    connection = HTTPConnection(server.hostname, server.port, timeout=60)
    with closing(connection):
        connection.putrequest("POST", target)
        for name, value in {"Content-Type": FORM, "Content-Length": length, **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()
        yield connection


BROKEN = {
    "without a boundary": ("multipart/form-data", a_file(9)),
    "ends in a file": (FORM, a_file(9)[:-12]),
    "in no encoding": (FORM, a_file(9).replace(b"\r\n\r\n", b"\r\n" + BASE64)),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_form_that_is_broken_is_not_said_to_be_too_much(kind, django_user_model, settings):
    settings.ROOT_URLCONF = __name__
    client = Client(raise_request_exception=False)
    client.force_login(django_user_model.objects.create_user("alice"))
    content_type, body = BROKEN[kind]
    answer = client.post("/counted/", body, content_type=content_type)
    assert answer.status_code == 400
    assert "This request could not be read" in answer.content.decode()


@pytest.mark.parametrize("target", ["/accounts/login/", "/healthz/", "/admin/login/", "/nothing/"])
def test_what_is_too_long_is_refused_before_any_of_it_is_sent(target, server):
    with (
        begun(server, target, 600 * MiB, **COOKIE) as connection,
        connection.getresponse() as answer,
    ):
        assert answer.status == 413
        assert b"That was too much at once" in answer.read()


@pytest.mark.parametrize(
    ("target", "size", "status"),
    [
        ("/nothing/", 50, 404),
        ("/healthz/", 50, 403),
        ("/accounts/login/", 50, 403),
        ("/accounts/login/", 300, 413),
    ],
)
def test_who_sends_all_of_it_first_gets_the_answer(target, size, status, server):
    """As browsers do, which read nothing as long as they send; Django has long refused it."""
    body = a_file(size * MiB)  # more than both sockets hold: who sends waits for who reads
    with begun(server, target, len(body)) as connection:
        connection.send(body)
        with connection.getresponse() as answer:
            assert answer.status == status
