"""Web servers of the site `tests.streaming_site`, and clients that read as slowly as they like."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

# Of each of the two sockets of a connection, so that a reader who waits stops the server soon.
BUFFER = 64 * 1024

MiB = 1024 * 1024
POOL = {"OPTIONS": {"pool": {"min_size": 1, "max_size": 4}}}

COMMANDS = {
    "sync": ["-m", "gunicorn", "tests.streaming_site:wsgi", "--no-control-socket"],
    "gthread": [
        "-m",
        "gunicorn",
        "tests.streaming_site:wsgi",
        "--no-control-socket",
        "--worker-class=gthread",
    ],
    "uvicorn": [
        "-c",
        "import socket, sys, uvicorn\n"
        "config = uvicorn.Config('tests.streaming_site:asgi', lifespan='off')\n"
        "uvicorn.Server(config).run([socket.socket(fileno=int(sys.argv[1]))])",
    ],
}


class WebServer:
    """One worker process, and the address at which it listens."""

    def __init__(self, process, address, log):
        self.process, self.address, self.log = process, address, log

    @property
    def worker(self):
        """What /proc knows of the process that answers."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return Path("/proc") / (children[0] if children else str(pid))

    def most_memory(self):
        """The largest resident set until now, in bytes."""
        status = (self.worker / "status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024

    def written(self):
        """The bytes that went into files until now; those to sockets are not counted."""
        return int(re.search(r"wchar: (\d+)", (self.worker / "io").read_text())[1])

    def threads_and_descriptors(self):
        return [len(list((self.worker / kind).iterdir())) for kind in ("task", "fd")]

    @contextmanager
    def get(self, name, **headers):
        """Ask for a file, and yield the response as soon as its headers are there."""
        client = HTTPConnection("127.0.0.1", timeout=30)
        client.sock = socket.socket()
        with client.sock:
            client.sock.settimeout(30)
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
            client.sock.connect(self.address)
            client.request("GET", f"/{name}", headers={"Connection": "close", **headers})
            with client.getresponse() as response:
                yield response


@contextmanager
def web_server(kind, directory, **site):
    """Run a server until the end of the block; `site` holds Django settings."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)  # also of what it accepts
        number = listener.fileno()
        command = [*COMMANDS[kind], str(number) if kind == "uvicorn" else f"--bind=fd://{number}"]
        environment = {**os.environ, "SITE": json.dumps(site)}
        with running(command, listener, environment, directory / f"{kind}.log") as server:
            yield server


@contextmanager
def running(command, listener, environment, log):
    """A server of these arguments of Python, which has its listener, until the end of the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=Path(__file__).parent.parent,
            env=environment,
            pass_fds=[listener.fileno()],
            stdout=output,
            stderr=output,
        )
        try:
            yield WebServer(process, listener.getsockname(), log)
        finally:
            process.terminate()
            process.wait()


def eventually(look, expected, seconds=60):
    """Return when what is seen is as expected; fail with what it was last."""
    deadline = time.monotonic() + seconds
    while not expected(seen := look()):
        assert time.monotonic() < deadline, seen


def databases(server, **options):
    settings = {"ENGINE": "django.db.backends.postgresql", "NAME": "app", "USER": "app"}
    default = settings | {"HOST": server.socket, "PORT": "5432"} | options
    return {"default": default, "files": default}


@contextmanager
def sessions_of(server):
    """A function that returns the state of each session of the database but this one."""
    with server.connect("postgres") as session:
        yield lambda: session.execute(
            "select state, backend_xmin is null and backend_xid is null from pg_stat_activity"
            " where datname = 'app' and pid <> pg_backend_pid() and backend_type = 'client backend'"
        ).fetchall()


def at_rest(sessions):
    return all(session == ("idle", True) for session in sessions)
