"""The site in a web server, as in production."""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from django.conf import settings as site
from django.db import connection

from .test_embedded_postgres import until


def database():
    """What of the environment leads to the test's database."""
    database = connection.settings_dict
    user, password, host = (database[name] for name in ("USER", "PASSWORD", "HOST"))
    login = f"{quote(user)}:{quote(password, safe='')}" if password else quote(user)
    place = f"/{host}" if host.startswith("/") else host  # a folder with a socket in it
    address = f"postgres://{login}@{place}/{database['NAME']}"
    return {"DATABASE_URL": address, "PGPORT": str(database["PORT"])}


@contextmanager
def gunicorn(folder, *arguments, application="config.wsgi", **settings):
    """A server in a process group of its own, on the test's database, with `settings` of its own.

    Yields the group, the address, and the path of what it logs.
    """
    environment = {
        **os.environ,
        **database(),
        "SECRET_KEY": site.SECRET_KEY,  # so that the cookie holds here, too
        "ALLOWED_HOSTS": "localhost",
        "DEMO": "1",  # and so plain HTTP
        "TMPDIR": str(folder),  # who is killed cannot tidy up
        **settings,
    }
    command = ["-m", "gunicorn", application, "--threads=4", *arguments, "--bind=127.0.0.1:0"]
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command, "--no-control-socket"],
            cwd=Path(__file__).parent.parent,
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
