"""Uploads in pieces under ASGI, where Django has the whole of a piece before a view has any."""

import hashlib
import os
import random
import socket
from contextlib import ExitStack

import pytest
from django.conf import settings as site
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

from lo_storage.uploads.models import Upload

from .serving import database
from .test_uploads import PIECE, MiB, Visitor, answer
from .web_servers import eventually, running

CLIENTS = 20


@pytest.fixture
def server(tmp_path, transactional_db):
    """The site under uvicorn."""
    environment = {
        **os.environ,
        **database(),
        "SECRET_KEY": site.SECRET_KEY,  # so that the cookie holds here, too
        "ALLOWED_HOSTS": "localhost",
        "DEMO": "1",  # and so plain HTTP
        "TMPDIR": str(tmp_path),
    }
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = ["-m", "uvicorn", "tests.uploads_asgi_site:application", "--lifespan=off"]
        command.append(f"--fd={listener.fileno()}")
        with running(command, listener, environment, tmp_path / "server.log") as server:
            yield server


@pytest.fixture
def visitor(server):
    client = Client()
    client.force_login(get_user_model().objects.create_user("ada"))
    _, port = server.address
    return Visitor(f"http://localhost:{port}", client.cookies[site.SESSION_COOKIE_NAME].value)


def send(visitor, address, offset, piece):
    answered = visitor.ask("PATCH", address, piece, Upload_Offset=offset, **PIECE)
    assert answered.status == 204
    return int(answered.headers["Upload-Offset"])


def sessions():
    """How many sessions the database has but this one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from pg_stat_activity where datname = current_database()"
            " and pid <> pg_backend_pid() and backend_type = 'client backend'"
        )
        return cursor.fetchone()[0]


def temporary_files(server):
    """The bytes of each file that has no name, in which a body waits."""
    found = []
    for descriptor in (server.worker / "fd").iterdir():
        try:
            if os.readlink(descriptor).endswith("(deleted)"):
                found.append(descriptor.stat().st_size)
        except FileNotFoundError:  # closed meanwhile
            pass
    return found


def test_pieces_become_the_file(visitor):
    content = random.Random(17).randbytes(10 * MiB + 1234)
    address = visitor.create(len(content))
    offset = 0
    while offset < len(content):
        offset = send(visitor, address, offset, content[offset : offset + 4 * MiB])
    assert Upload.objects.get().sha256 == hashlib.sha256(content).hexdigest()


def test_a_line_that_breaks_costs_the_piece_and_no_more(visitor, server):
    content = random.Random(18).randbytes(5 * MiB)
    address = visitor.create(len(content))
    offset = send(visitor, address, 0, content[:MiB])
    for cut in (0, 1, 3 * MiB):
        headers = {"Upload_Offset": offset, "Content_Length": 4 * MiB, **PIECE}
        with visitor.begun("PATCH", address, content[MiB : MiB + cut], **headers):
            pass
        assert visitor.offset(address) == MiB
    assert visitor.ask("PATCH", address, b"x", Upload_Offset=0, **PIECE).status == 409
    send(visitor, address, MiB, content[MiB:])
    assert Upload.objects.get().sha256 == hashlib.sha256(content).hexdigest()
    assert "Traceback" not in server.log.read_text()


def test_slow_clients_hold_no_connection_and_no_memory_and_their_files_go(visitor, server):
    address = visitor.create(8 * MiB)
    eventually(sessions, lambda count: count == 0)
    files, memory = len(temporary_files(server)), server.most_memory()
    headers = {"Upload_Offset": 0, "Content_Length": 8 * MiB, **PIECE}
    with ExitStack() as stack:
        slow = [
            stack.enter_context(visitor.begun("PATCH", address, bytes(4 * MiB), **headers))
            for _ in range(CLIENTS)
        ]
        eventually(
            lambda: sum(size >= 4 * MiB for size in temporary_files(server)),
            lambda count: count == CLIENTS,
        )
        assert sessions() == 0
        assert visitor.offset(address) == 0  # Others are answered meanwhile.
        assert server.most_memory() - memory < CLIENTS * MiB
        slow[0].sendall(bytes(4 * MiB))
        assert answer(slow[0]).status == 204
    eventually(lambda: len(temporary_files(server)), lambda count: count <= files)
    assert Upload.objects.get().received == 8 * MiB
