"""Works that serve files by HTTP; each contestant has a web server of its own."""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache, partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import NamedTuple

from .contestants import ALONE, FILES, OLD, OURS, make
from .facts import FIRST_BYTE, MEMORY, TRIPS, Facts
from .memory import begin_anew, status
from .running import Clock, Runs, save_big
from .stage import ROOT, SMALL, MiB, Stage

FROM_DISK = "FileResponse from disk"
BY_GUNICORN = "lo_storage by gunicorn"

GUNICORN = (
    "gunicorn benchmarks.site:wsgi --threads=4 --bind=127.0.0.1:{port}"
    " --no-control-socket --log-level=warning"
)
UVICORN = "uvicorn benchmarks.site:asgi --port={port} --lifespan=off --log-level=warning"


class Way(NamedTuple):
    """Who keeps the file, the address at which a view serves it, and the web server."""

    keeper: str
    address: str
    command: str = GUNICORN

    def address_of(self, stage: Stage, size: int) -> str:
        """Return the address of a file of so many bytes, which is there until the end."""
        name = _stored(self.keeper, stage, size)
        return self.address.format(folder=stage.folder, name=name, size=size)


@cache
def _stored(keeper: str, stage: Stage, size: int) -> str:
    return save_big(make(keeper, stage.folder), stage, size)


WSGI = {
    OURS: Way(OURS, "/new/{name}"),
    OLD: Way(OLD, "/old/{name}"),
    ALONE: Way(ALONE, "/alone/{name}/{size}"),
    FROM_DISK: Way(FILES, "/disk{folder}/files/{name}"),
}
ASGI = {OURS: Way(OURS, "/async/{name}", UVICORN), BY_GUNICORN: WSGI[OURS]}


class WebServer:
    """A web server with one process that answers."""

    def __init__(self, process: subprocess.Popen, port: int) -> None:
        self.process = process
        self.address = "127.0.0.1", port

    @property
    def worker(self) -> str:
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return children[0] if children else str(pid)

    def connect(self, seconds: float = 0) -> socket.socket:
        """Return a connection, if there is one within so many seconds."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                return socket.create_connection(self.address)
            except ConnectionRefusedError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
            time.sleep(0.02)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@contextmanager
def started(command: Sequence[str | Path], port: int) -> Iterator[WebServer]:
    """Yield a web server that answers at a port, and end it."""
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            server = WebServer(process, port)
            server.connect(seconds=30).close()
            yield server
        finally:
            process.terminate()


def web_server(command: str) -> AbstractContextManager[WebServer]:
    port = free_port()
    return started([sys.executable, "-m", *command.format(port=port).split()], port)


class Downloads:
    """Downloads of one file, and what the servers needed for them."""

    def __init__(self, ways: dict[str, Way], size: int, times: int = 1, last: int = 0) -> None:
        """Arguments:

        - `size`: of the file, in bytes.
        - `times`: how many downloads a run has.
        - `last`: how many bytes at the end are asked for (0: all).
        """
        self.ways, self.size, self.times, self.last = ways, size, times, last
        self._first_bytes: dict[str, list[float]] = {name: [] for name in ways}
        self._memory: dict[str, list[float]] = {name: [] for name in ways}

    @contextmanager
    def runs(self, stage: Stage) -> Iterator[Runs]:
        for way, size in product(self.ways.values(), (SMALL, self.size)):
            way.address_of(stage, size)
        stage.tidy()
        runs = {}
        with ExitStack() as stack:
            for name, way in self.ways.items():
                server = stack.enter_context(self._server(way, stage))
                runs[name] = partial(self._run, name, server, way.address_of(stage, self.size))
            yield runs

    @contextmanager
    def _server(self, way: Way, stage: Stage) -> Iterator[WebServer]:
        with web_server(way.command) as server:
            # Modules are loaded, and the connection is there.
            with server.connect() as connection:
                get(connection, way.address_of(stage, SMALL))
            yield server

    def _run(self, name: str, server: WebServer, address: str, clock: Clock) -> None:
        clock.process = int(server.worker)
        before = begin_anew(server.worker)
        with server.connect() as connection, clock:
            for _ in range(self.times):
                length, first_byte = get(connection, address, self.last)
                assert length in (self.last, self.size)  # FileResponse knows no ranges
                self._first_bytes[name].append(first_byte * 1000)
        self._memory[name].append((status("VmHWM", server.worker) - before) / MiB)

    def facts(self, stage: Stage) -> Facts:
        """Return the most memory that a run added, the median time to a first byte, round trips."""
        trips = {}
        with stage.through() as relay:
            for name, way in self.ways.items():
                # Each thread has a database connection of its own.
                one = way._replace(command=way.command.replace("--threads=4", "--threads=1"))
                with self._server(one, stage) as server, server.connect() as connection:
                    before = relay.trips
                    get(connection, way.address_of(stage, self.size), self.last)
                    trips[name] = relay.trips - before
        return {
            TRIPS: {name: number for name, number in trips.items() if number},
            MEMORY: {name: max(found) for name, found in self._memory.items()},
            FIRST_BYTE: {name: median(found) for name, found in self._first_bytes.items()},
        }


def get(connection: socket.socket, address: str, last: int = 0) -> tuple[int, float]:
    """Read an answer as fast as it comes; return its length and when its first byte was there."""
    asked = f"Range: bytes=-{last}\r\n" if last else ""
    began = time.perf_counter()
    connection.sendall(f"GET {address} HTTP/1.1\r\nHost: 127.0.0.1\r\n{asked}\r\n".encode())
    answer = b""
    while not answer.partition(b"\r\n\r\n")[2]:
        answer += _received(connection.recv(64 * 1024))
    first_byte = time.perf_counter() - began
    head, _, content = answer.partition(b"\r\n\r\n")
    found = re.search(rb"(?is)^HTTP/1.1 20.*content-length: (\d+)", head)
    length = int(found[1])
    missing = length - len(content)
    while missing:
        missing -= _received(connection.recv_into(_BUFFER))
    return length, first_byte


_BUFFER = bytearray(MiB)


def _received[T](received: T) -> T:
    if not received:
        raise ConnectionError("the server has cut the connection")
    return received
