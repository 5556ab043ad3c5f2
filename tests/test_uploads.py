"""Uploads in pieces through a real web server, whose clients break off, stall, and lie."""

import hashlib
import os
import random
import signal
import socket
from contextlib import ExitStack
from functools import partial
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from lo_storage.uploads.models import Upload

from .serving import gunicorn
from .test_embedded_postgres import until

MiB = 1024 * 1024
POOL = '{"min_size": 1, "max_size": 1}'
TOKEN = "a" * 32
PIECE = {"Content-Type": "application/offset+octet-stream"}
FILE = b'--x\r\nContent-Disposition: form-data; name="data"; filename="a.pdf"\r\n\r\n'


class Visitor:
    """Whoever has a session sends what no library would, byte by byte if need be."""

    def __init__(self, address, session):
        parts = urlsplit(address)
        self.place = (parts.hostname, parts.port)
        self.headers = {
            "Host": parts.netloc,
            "Cookie": f"sessionid={session}; csrftoken={TOKEN}",
            "X-CSRFToken": TOKEN,
            "Tus-Resumable": "1.0.0",
        }

    def begun(self, method, address, body=b"", **headers):
        """A connection that has sent a head, and as much of a body."""
        headers = {key.replace("_", "-"): value for key, value in headers.items()}
        connection = socket.create_connection(self.place, timeout=30)
        lines = [f"{key}: {value}" for key, value in (self.headers | headers).items()]
        head = "\r\n".join([f"{method} {address} HTTP/1.1", *lines, "", ""])
        connection.sendall(head.encode() + body)
        return connection

    def ask(self, method, address, body=b"", **headers):
        if body:
            headers["Content_Length"] = len(body)
        with self.begun(method, address, body, **headers) as connection:
            return answer(connection, method)

    def create(self, length):
        created = self.ask("POST", "/uploads/", Upload_Length=length, Content_Length=0)
        assert created.status == 201
        return f"/uploads/{created.headers['Location']}"

    def offset(self, address):
        head = self.ask("HEAD", address)
        assert head.status == 200
        return int(head.headers["Upload-Offset"])


def answer(connection, method=None):
    response = HTTPResponse(connection, method=method)
    response.begin()
    response.read()
    return response


@pytest.fixture
def server(tmp_path, transactional_db):
    with gunicorn(tmp_path, application="tests.uploads_site") as server:
        yield server


@pytest.fixture
def ada_session(transactional_db, settings):
    client = Client()
    client.force_login(get_user_model().objects.create_user("ada"))
    return client.cookies[settings.SESSION_COOKIE_NAME].value


@pytest.fixture
def visitor(server, ada_session):
    _, address, _ = server
    return Visitor(address, ada_session)


def test_a_line_that_breaks_at_any_byte_costs_what_was_under_way(visitor):
    rng = random.Random(17)
    content = rng.randbytes(3 * MiB + 1234)
    address = visitor.create(len(content))
    offset = sent = cuts = 0
    while offset < len(content):
        rest = content[offset:]
        cut = rng.randrange(len(rest) // 3 + 2) if cuts < 25 else len(rest)
        headers = {"Upload_Offset": offset, "Content_Length": len(rest), **PIECE}
        with visitor.begun("PATCH", address, rest[:cut], **headers) as connection:
            if cut == len(rest):
                # One that was cut may still be on its way, and come first.
                assert answer(connection).status in {204, 409}
            else:
                connection.shutdown(socket.SHUT_WR)
        cuts += 1
        sent = max(sent, offset + cut)
        reached = visitor.offset(address)
        assert offset <= reached <= sent
        offset = reached
    assert cuts > 25
    upload = Upload.objects.get()
    assert upload.sha256 == hashlib.sha256(content).hexdigest()


def test_a_killed_worker_costs_what_was_under_way(server, visitor):
    group, _, _ = server
    address = visitor.create(10)
    content = b"0123456789"
    begin = visitor.ask("PATCH", address, content[:4], Upload_Offset=0, **PIECE)
    assert begin.status == 204
    headers = {"Upload_Offset": 4, "Content_Length": 6, **PIECE}
    with visitor.begun("PATCH", address, b"45", **headers):
        until(lambda: Upload.objects.get().epoch == 2)  # It has the request.
        children = Path(f"/proc/{group}/task/{group}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)
    offset = visitor.offset(address)  # by the next worker
    assert offset in {4, 6}
    rest = content[offset:]
    assert visitor.ask("PATCH", address, rest, Upload_Offset=offset, **PIECE).status == 204
    assert Upload.objects.get().sha256 == hashlib.sha256(content).hexdigest()


def test_a_request_that_hangs_blocks_no_other_and_ends(visitor):
    address = visitor.create(3 * MiB)
    headers = {"Upload_Offset": 0, "Content_Length": 3 * MiB, **PIECE}
    with visitor.begun("PATCH", address, b"x" * MiB, **headers) as hanging:
        until(lambda: Upload.objects.get().received == MiB)
        assert visitor.offset(address) == MiB
        hanging.sendall(b"y" * MiB)
        assert answer(hanging).status == 409
    assert visitor.offset(address) == MiB


def test_a_promise_of_more_than_comes_counts_what_came(visitor):
    address = visitor.create(50)
    headers = {"Upload_Offset": 0, "Content_Length": 50, **PIECE}
    with visitor.begun("PATCH", address, b"x" * 20, **headers) as connection:
        connection.shutdown(socket.SHUT_WR)
        until(lambda: Upload.objects.get().received == 20)
    assert visitor.offset(address) == 20


def test_a_body_of_unknown_length_is_refused(visitor):
    address = visitor.create(3)
    chunked = {"Upload_Offset": 0, "Transfer_Encoding": "chunked", **PIECE}
    with visitor.begun("PATCH", address, b"3\r\nabc\r\n0\r\n\r\n", **chunked) as connection:
        assert answer(connection).status == 411
    assert visitor.offset(address) == 0


@pytest.mark.parametrize("kind", ["piece", "form"])
def test_slow_clients_hold_no_connection_of_a_pool(kind, tmp_path, ada_session):
    eight = ["--threads=8", "--workers=1"]
    with (
        gunicorn(tmp_path, *eight, application="tests.uploads_site", POOL=POOL) as (_, site, _),
        ExitStack() as stack,
    ):
        visitor = Visitor(site, ada_session)
        of_kind = {"piece": {"epoch": 1}, "form": {"length": None}}[kind]
        begun = partial(Upload.objects.filter, **of_kind)
        for count in range(1, 6):
            if kind == "piece":
                method, place, body = "PATCH", visitor.create(MiB), b""
                headers = {"Upload_Offset": 0, **PIECE}
            else:
                method, place, body = "POST", "/one/", FILE
                headers = {"Content-Type": "multipart/form-data; boundary=x"}
            body += b"x" * 128 * 1024
            slow = visitor.begun(method, place, body, Content_Length=MiB, **headers)
            stack.enter_context(slow)
            # Each has come so far that it has asked the database.
            until(lambda n=count: begun().count() == n)
        assert visitor.offset(visitor.create(MiB)) == 0


@pytest.mark.parametrize("kind", ["piece", "form"])
def test_bodies_that_never_end_occupy_no_thread_for_good(kind, tmp_path, ada_session):
    two = ["--threads=2", "--workers=1"]
    with (
        gunicorn(tmp_path, *two, application="tests.uploads_site", SILENCE="1") as (_, site, _),
        ExitStack() as stack,
    ):
        visitor = Visitor(site, ada_session)
        address = visitor.create(MiB)
        method, place, headers = {
            "piece": ("PATCH", address, {"Upload_Offset": 0, **PIECE}),
            "form": ("POST", "/one/", {"Content-Type": "multipart/form-data; boundary=x"}),
        }[kind]
        for _ in range(3):
            stack.enter_context(visitor.begun(method, place, b"-", Content_Length=MiB, **headers))
        assert visitor.offset(address) in {0, 1}
