"""The disk fills up, or PostgreSQL restarts, while a piece comes: what came before is there."""

import hashlib
import random
import subprocess
import sys

import psycopg
import pytest
from django.conf import settings as site

from .programs import ROOT
from .serving import gunicorn
from .test_embedded_postgres import until
from .test_server_crashes import mount, small_disk
from .test_uploads import PIECE, MiB, Visitor, answer

SIGN_IN = """
from django.contrib.auth import get_user_model
from django.test import Client

client = Client()
client.force_login(get_user_model().objects.create_user("ada"))
print(client.cookies["sessionid"].value)
"""


@pytest.fixture
def own_disk(server, tmp_path):
    """A database on a small disk of its own."""
    with small_disk(server, tmp_path / "disk", "40m") as disk:
        with server.connect("postgres") as session:
            session.execute(f"create tablespace uploads location '{disk}'")
            session.execute("create database uploads owner app tablespace uploads")
        yield disk
        with server.connect("postgres") as session:  # Another one: a test may have ended the first.
            session.execute("drop database uploads with (force)")
            session.execute("drop tablespace uploads")


@pytest.fixture
def visitor(server, own_disk, tmp_path):
    """Whoever has a session of a site on that database."""
    environment = {
        "DATABASE_URL": f"postgres://app@/{server.socket}/uploads",
        "PGPORT": "5432",
        "SECRET_KEY": site.SECRET_KEY,
        "DEMO": "1",
    }
    for command in (["migrate", "--verbosity=0"], ["shell", "--verbosity=0", "-c", SIGN_IN]):
        result = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
    with gunicorn(tmp_path, application="tests.uploads_site", **environment) as (_, address, _):
        yield Visitor(address, result.stdout.strip())


def send(visitor, address, content):
    """Send it from where it is to go on, in pieces of 8 MiB; return the last answer."""
    told, offset = None, visitor.offset(address)
    while offset < len(content) and (not told or told.status == 204):
        piece = content[offset : offset + 8 * MiB]
        told = visitor.ask("PATCH", address, piece, Upload_Offset=offset, **PIECE)
        offset += len(piece)
    return told


def recorded(server, column):
    """What the row of the upload has in a column."""
    with psycopg.connect(host=server.socket, dbname="uploads", user="app") as session:
        ((value,),) = session.execute(f"select {column} from lo_storage_uploads_upload").fetchall()
    return value


def test_a_full_disk_in_the_middle_of_a_piece_costs_what_was_under_way(server, own_disk, visitor):
    content = random.Random(17).randbytes(40 * MiB)
    address = visitor.create(len(content))
    for _ in range(2):
        told = send(visitor, address, content)
        assert (told.status, told.headers["Retry-After"]) == (507, "5")
        offset = visitor.offset(address)
        assert 0 < offset < len(content)
        assert offset % MiB == 0
    mount("--options=remount,size=200m", own_disk)
    assert send(visitor, address, content).status == 204
    assert recorded(server, "sha256") == hashlib.sha256(content).hexdigest()


def test_a_server_that_restarts_in_the_middle_of_a_piece_costs_what_was_under_way(server, visitor):
    content = random.Random(17).randbytes(3 * MiB)
    address = visitor.create(len(content))
    headers = {"Upload_Offset": 0, "Content_Length": len(content), **PIECE}
    with visitor.begun("PATCH", address, content[:MiB], **headers) as connection:
        until(lambda: recorded(server, "received") == MiB)
        server.stop("fast")
        connection.sendall(content[MiB:])
        told = answer(connection)
        assert (told.status, told.headers["Retry-After"]) == (503, "5")
    assert visitor.ask("POST", "/uploads/", Upload_Length=1, Content_Length=0).status == 503
    server.start()
    assert visitor.offset(address) == MiB
    assert send(visitor, address, content).status == 204
    assert recorded(server, "sha256") == hashlib.sha256(content).hexdigest()
