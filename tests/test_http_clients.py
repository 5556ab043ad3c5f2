"""Downloads by real clients, from a real server that would compress what it could."""

import re
import subprocess
from email import message_from_bytes
from random import Random

import pytest
from django.conf import settings as site
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.test import Client

from lo_storage.storage import db_file_storage

from .programs import program
from .serving import gunicorn
from .test_embedded_postgres import until

CONTENT = Random(0).randbytes(9_000_000)
TEXT = b"compressible " * 100_000

COMPRESSING = """
from config import settings
settings.MIDDLEWARE.insert(0, "django.middleware.gzip.GZipMiddleware")
settings.MIDDLEWARE.insert(0, "django.middleware.http.ConditionalGetMiddleware")
settings.ROOT_URLCONF = __name__

from config.wsgi import application
from django.contrib.auth.decorators import login_required
from django.urls import path
from lo_storage.views import db_serve

urlpatterns = [path("file/<str:filename>", login_required(db_serve))]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory, django_db_setup, django_db_blocker):
    folder = tmp_path_factory.mktemp("server")
    (folder / "compressing.py").write_text(COMPRESSING)
    options = (f"--pythonpath={folder}", "--access-logfile=-")
    with (
        django_db_blocker.unblock(),
        gunicorn(folder, *options, application="compressing") as (_, address, log),
    ):
        yield address, log


@pytest.fixture
def run(tmp_path):
    """A function that runs a client in a folder of its own; returns what it wrote to stdout."""

    def run(client, *arguments):
        result = subprocess.run([program(client), *arguments], cwd=tmp_path, capture_output=True)
        assert result.returncode == 0, result.stderr.decode() + result.stdout.decode()
        return result.stdout

    return run


@pytest.fixture
def store(transactional_db, server):
    """A function that stores a file; returns its address."""

    def store(content, name):
        stored = db_file_storage.save(name, ContentFile(content))
        return f"{server[0]}/file/{stored}"

    return store


@pytest.fixture
def cookie(store):
    client = Client()
    client.force_login(get_user_model().objects.create(username="alice"))
    return f"Cookie: {site.SESSION_COOKIE_NAME}={client.cookies[site.SESSION_COOKIE_NAME].value}"


@pytest.fixture
def curl(run, cookie):
    return lambda *arguments: run("curl", "-sS", "-H", cookie, *arguments)


def test_curl_gets_the_file_and_no_compression(curl, store, tmp_path):
    assert curl("--compressed", "-D", "headers", store(TEXT, "march.txt")) == TEXT
    headers = (tmp_path / "headers").read_text().lower()
    assert headers.startswith("http/1.1 200 ")
    assert f"content-length: {len(TEXT)}" in headers
    assert "content-encoding" not in headers


def test_curl_resumes(curl, store, tmp_path):
    url = store(CONTENT, "scan.pdf")
    (tmp_path / "part").write_bytes(CONTENT[:5_000_000])
    for expected in ("206 4000000", "416 0"):  # the second time nothing is left to get
        got = curl("-C", "-", "-o", "part", "-w", "%{http_code} %{size_download}", url)
        assert got.decode() == expected
        assert (tmp_path / "part").read_bytes() == CONTENT


def test_curl_gets_ranges(curl, store):
    url = store(CONTENT, "scan.pdf")
    assert curl("-r", "-1000000", url) == CONTENT[-1_000_000:]
    message = message_from_bytes(curl("-i", "-r", "0-0,5-9", url).partition(b"\r\n")[2])
    assert message.get_content_type() == "multipart/byteranges"
    parts = [
        (part["Content-Type"], part["Content-Range"], part.get_payload(decode=True))
        for part in message.get_payload()
    ]
    assert parts == [
        ("application/pdf", "bytes 0-0/9000000", CONTENT[:1]),
        ("application/pdf", "bytes 5-9/9000000", CONTENT[5:10]),
    ]


def test_curl_gets_only_what_has_changed(curl, store, tmp_path):
    url = store(TEXT, "march.txt")
    what = ("-w", "%{http_code}", "-o", "march.txt")
    assert curl(*what, "-R", url) == b"200"
    assert curl(*what, "-z", "march.txt", url) == b"304"
    assert curl(*what, "-z", "1 Jan 2020", url) == b"200"
    assert curl(*what, "--etag-save", "etag", url) == b"200"
    assert curl(*what, "--etag-compare", "etag", url) == b"304"
    assert (tmp_path / "march.txt").read_bytes() == TEXT


@pytest.mark.parametrize(
    ("name", "by_curl"),
    [
        ("March rent.pdf", "March rent.pdf"),
        ("Müller – März.pdf", "Muller _ Marz.pdf"),
        ('a "b" 50%25.pdf', "a _b_ 50_25.pdf"),
    ],
)
def test_the_name_that_a_file_is_saved_under(curl, run, cookie, store, tmp_path, name, by_curl):
    url = store(TEXT, name)
    curl("-OJ", url)
    assert [path.name for path in tmp_path.iterdir()] == [by_curl]
    (tmp_path / by_curl).unlink()
    run("aria2c", "-q", "--no-conf", "--header", cookie, url)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_wget_resumes(run, cookie, store, tmp_path):
    url = store(CONTENT, "scan.pdf")
    (tmp_path / "part").write_bytes(CONTENT[:5_000_000])
    for _ in range(2):
        run("wget", "--no-config", "-q", "-c", "-O", "part", "--header", cookie, url)
        assert (tmp_path / "part").read_bytes() == CONTENT


def test_aria2_gets_eight_parts_at_once(run, cookie, store, server, tmp_path):
    url = store(CONTENT, "scan.pdf")
    # Slowly, so that the first connection has not got all before the others are there.
    options = ["-q", "--no-conf", "-x8", "-s8", "-k1M", "--max-download-limit=8M", "-oscan"]
    run("aria2c", *options, "--header", cookie, url)
    assert (tmp_path / "scan").read_bytes() == CONTENT
    answer = rf"{url.rpartition('/')[2]} HTTP/1.1\" 206 "
    until(lambda: len(re.findall(answer, server[1].read_text())) >= 7)


def test_without_a_client_a_test_is_skipped_and_in_ci_it_fails(monkeypatch, tmp_path):
    for name, text in {"id": "echo 1000", "sudo": "exit 1"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    why = "^curl is not installed, and could not be: Install curl wget aria2"
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=why):
        program("curl")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=why):
        program("curl")
