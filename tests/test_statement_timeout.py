"""The limit of a web server's statements: no file is cut by it, and no command."""

import http.client
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import pytest
from django.core.files.base import ContentFile
from django.db import connection, transaction
from django.test import Client

from invoices.models import Invoice

from .serving import gunicorn

pytestmark = pytest.mark.django_db(transaction=True)

CONTENT = Random(0).randbytes(20_000_000)  # more than sockets hold
LIMIT = "500ms"
AWAY = "<h1>The database does not answer</h1>"


@pytest.fixture
def alice(django_user_model):
    return django_user_model.objects.create_user("alice")


@pytest.fixture
def site(alice, tmp_path, monkeypatch):
    """Begin a request of alice's to a web server; return its connection."""
    client = Client()
    client.force_login(alice)
    client.get("/upload/")
    cookies = {name: cookie.value for name, cookie in client.cookies.items()}
    headers = {
        "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
        "X-CSRFToken": cookies["csrftoken"],
    }
    monkeypatch.setenv("STATEMENT_TIMEOUT", LIMIT)
    with gunicorn(tmp_path) as (_, address, _), ExitStack() as stack:

        def begin(method, path, **more):
            connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
            stack.callback(connection.close)
            connection.putrequest(method, path)
            for name, value in {**headers, **more}.items():
                connection.putheader(name, value)
            connection.endheaders()
            return connection

        yield begin


@contextmanager
def locked():
    """Let each statement that reads invoices wait."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("lock invoices_invoice in access exclusive mode")
        yield


def ask(site, path):
    response = site("GET", path).getresponse()
    return response.status, response.read().decode()


def test_ends_a_statement_and_leaves_what_takes_longer(alice, site):
    old = Invoice.objects.create(owner=alice, data=ContentFile(CONTENT, "a.bin"), number="1")
    body = (
        b'--limit\r\nContent-Disposition: form-data; name="files"; filename="b.bin"\r\n\r\n'
        + CONTENT[::-1]  # which alice has not yet
        + b'\r\n--limit\r\nContent-Disposition: form-data; name="issued"\r\n\r\n2026-03-02'
        b"\r\n--limit--\r\n"
    )
    upload = site(
        "POST",
        "/upload/",
        **{"Content-Type": "multipart/form-data; boundary=limit", "Content-Length": len(body)},
    )
    upload.send(body[:5_000_000])
    download = site("GET", old.data.url).getresponse()
    received = download.read(1000)

    with locked():
        status, page = ask(site, "/")  # which takes as long as the limit
        assert status == 503
        assert AWAY in page

    assert received + download.read() == CONTENT
    upload.send(body[5_000_000:])
    assert upload.getresponse().status == 302
    new = Invoice.objects.get(number="2026-0001")
    with new.data.open() as file:
        assert file.read() == CONTENT[::-1]
    assert ask(site, "/")[0] == 200


def test_no_command_has_one(monkeypatch):
    monkeypatch.setenv("STATEMENT_TIMEOUT", LIMIT)
    assert statement_timeout("manage.py", "shell", "--no-imports", "-c") == "0"


@pytest.mark.parametrize("server", ["wsgi", "asgi"])
@pytest.mark.parametrize(("limit", "shown"), [(LIMIT, LIMIT), ("0", "0"), (None, "30s")])
def test_each_server_has_one(server, limit, shown, monkeypatch):
    monkeypatch.delenv("STATEMENT_TIMEOUT", raising=False)
    if limit:
        monkeypatch.setenv("STATEMENT_TIMEOUT", limit)
    assert statement_timeout("-c", before=f"import config.{server}") == shown


def statement_timeout(*arguments, before="pass"):
    code = f"""
{before}
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("show statement_timeout")
    print(cursor.fetchone()[0])
"""
    result = subprocess.run(
        [sys.executable, *arguments, code],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()
