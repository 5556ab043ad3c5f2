import os
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection

from config.embedded_postgres import find_programs

from .test_embedded_postgres import until

ROOT = Path(__file__).parent.parent


def program(name):
    """Return the path of a program that is installed, or that bin/clients can install."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    if found := shutil.which(name, path=path):
        return found
    install = subprocess.run([ROOT / "bin" / "clients"], capture_output=True, text=True)
    if found := shutil.which(name, path=path):
        return found
    # Who may not install programs can run the other tests; in CI nobody would notice a skip.
    refuse = pytest.fail if os.environ.get("CI") else pytest.skip
    refuse(f"{name} is not installed, and could not be: {install.stderr}")


def run_python(project, *arguments, without=("DJANGO_SETTINGS_MODULE",), **given):
    """Run Python in a project, whose environment lacks some of ours; return what it printed."""
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env={name: value for name, value in os.environ.items() if name not in without} | given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


@contextmanager
def started(command, place, log, **options):
    """Run a program from when it takes connections at a place until the end of the block.

    `place` is a port of this machine, or the path of a socket. Yields the process.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, **options)
    try:
        until(lambda: process.poll() is not None or listens(place))
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        process.terminate()
        process.wait()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def listens(place):
    """Whether somebody does: the file of a socket is there before that."""
    by_port = isinstance(place, int)
    with socket.socket(socket.AF_INET if by_port else socket.AF_UNIX) as probe:
        return probe.connect_ex(("127.0.0.1", place) if by_port else str(place)) == 0


def postgres_environment():
    """The environment of somebody who works with PostgreSQL's own programs on the test's server."""
    database = connection.settings_dict
    server = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD"}
    return {
        **os.environ,
        **{name: str(database[key]) for name, key in server.items() if database[key]},
        "PATH": f"{find_programs()}:{os.environ['PATH']}",
    }
