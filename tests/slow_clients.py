"""Clients that hold a request open for as long as they can, each byte by byte."""

import re
import socket
import ssl
from contextlib import ExitStack, contextmanager
from time import monotonic
from urllib.parse import urlsplit

import requests

SENDERS = READERS = 50
# Larger than what the kernel takes from a server for a client that does not read.
CONTENT = bytes(10_000_000)
# Nobody needs to sign in for it. Without a cookie Django would refuse it before it reads it.
FORM = (
    "POST /accounts/login/ HTTP/1.1\r\nContent-Length: {size}\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\n"
    f"Cookie: csrftoken={'a' * 32}; __Host-csrftoken={'a' * 32}"
)


def sign_in(session, address, username, password):
    """Sign in as a browser does."""
    page = f"{address}/accounts/login/"
    answer = session.post(
        page,
        {"csrfmiddlewaretoken": token(session, page), "username": username, "password": password},
        headers={"Referer": page},
        allow_redirects=False,
    )
    assert answer.status_code == 302, answer.text


def token(session, page):
    return re.search('csrfmiddlewaretoken" value="([^"]+)', session.get(page).text)[1]


@contextmanager
def uploading(session, address, content):
    """An upload of which the head was sent: its connection, and the bytes that are to follow."""
    page = f"{address}/upload/"
    request = session.prepare_request(
        requests.Request(
            "POST",
            page,
            headers={"Referer": page},
            data={"csrfmiddlewaretoken": token(session, page), "issued": "2026-03-02"},
            files={"files": ("scan.pdf", content)},
        )
    )
    lines = [f"{name}: {value}" for name, value in request.headers.items()]
    head = "\r\n".join(["POST /upload/ HTTP/1.1", *lines])
    with opened(address, session.verify, head) as connection:
        yield connection, request.body


def status_line(connection):
    """The first line of the answer, which is empty where there is none."""
    with connection.makefile("rb") as answer:
        return answer.readline().decode().rstrip()


@contextmanager
def opened(address, certificate, head):
    """A connection on which the head of a request was sent."""
    parts = urlsplit(address)
    with socket.socket() as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.settimeout(30)
        plain.connect(("127.0.0.1", parts.port))
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=certificate)
            connection = context.wrap_socket(plain, server_hostname=parts.hostname)
        else:
            connection = plain
        with connection:
            connection.sendall(f"{head}\r\nHost: {parts.netloc}\r\n\r\n".encode())
            yield connection


class SlowClients:
    """Those who send a form, and those who read a file."""

    def __init__(
        self, address, certificate=None, file="", cookies="", senders=SENDERS, readers=READERS
    ):
        self.stack = ExitStack()
        form = FORM.format(size=100_000)
        get = f"GET {file} HTTP/1.1\r\nCookie: {cookies}"
        proto = "" if certificate else "\r\nX-Forwarded-Proto: https"
        self.senders, self.readers = (
            [
                self.stack.enter_context(opened(address, certificate, head + proto))
                for _ in range(count)
            ]
            for head, count in [(form, senders), (get, readers)]
        )

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.stack.close()

    def go_on(self):
        for sender in self.senders:
            sender.sendall(b"a")

    def answered(self):
        """Read the first bytes of each answer."""
        return [reader.recv(15) for reader in self.readers]


def longest(session, page, count=20):
    """The seconds that the slowest of some ordinary requests takes."""
    seconds = []
    for _ in range(count):
        began = monotonic()
        assert session.get(page, timeout=60).status_code == 200
        seconds.append(monotonic() - began)
    return max(seconds)
