import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import quote

import pytest
from django.conf import settings as site
from django.db import connection

from config.postgres import _programs

from .test_postgres import until

ROOT = Path(__file__).parent.parent


@cache
def program(name):
    """Return the path of a program that is installed, or that bin/clients can install."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    if shutil.which(name, path=path) is None:
        install = subprocess.run([ROOT / "bin" / "clients"], capture_output=True, text=True)
        if install.returncode:
            pytest.skip(f"{name} is not installed, and could not be: {install.stderr}")
    return shutil.which(name, path=path)


def database():
    """What of the environment leads to the test's database."""
    database = connection.settings_dict
    user, password, host = (database[name] for name in ("USER", "PASSWORD", "HOST"))
    login = f"{quote(user)}:{quote(password, safe='')}" if password else quote(user)
    place = f"/{host}" if host.startswith("/") else host  # a folder with a socket in it
    address = f"postgres://{login}@{place}/{database['NAME']}"
    return {"DATABASE_URL": address, "PGPORT": str(database["PORT"])}


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


def postgres_environment():
    """The environment of somebody who works with PostgreSQL's own programs on the test's server."""
    database = connection.settings_dict
    server = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD"}
    return {
        **os.environ,
        **{name: str(database[key]) for name, key in server.items() if database[key]},
        "PATH": f"{_programs()}:{os.environ['PATH']}",
    }


@contextmanager
def gunicorn(folder, *arguments, application="config.wsgi"):
    """A server in a process group of its own, on the test's database.

    Yields the group, the address, and the path of what it logs.
    """
    environment = {
        **os.environ,
        **database(),
        "SECRET_KEY": site.SECRET_KEY,  # so that the cookie holds here, too
        "ALLOWED_HOSTS": "localhost",
        "DEMO": "1",  # and so plain HTTP
        "TMPDIR": str(folder),  # who is killed cannot tidy up
    }
    command = ["-m", "gunicorn", application, "--bind=127.0.0.1:0", "--threads=4", *arguments]
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command, "--no-control-socket"],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        found = until(lambda: re.search(r"Listening at: http://[\d.]+:(\d+)", log.read_text()))
        yield process.pid, f"http://localhost:{found[1]}", log
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
