"""A relay between clients and the server, which delays each direction, and counts round trips.

It takes the place of a network: it hands on every byte so many seconds after it came, in order, as
many at once as there are. A process of its own, so that its processor time is nobody else's.
"""

import asyncio
import multiprocessing
import selectors
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

IN_FLIGHT = 4 * 1024 * 1024  # bytes that wait for a slow reader before the other one is held up


class Trips:
    """Counts the messages ReadyForQuery in what a server sends: one for each round trip.

    A message is a letter and its length, of four bytes, which counts itself ("Message Formats" in
    the chapter "Frontend/Backend Protocol").
    """

    def __init__(self) -> None:
        self.count = 0
        self._head = b""
        self._missing = 0

    def feed(self, data: bytes) -> None:
        start = 0
        while start < len(data):
            if self._missing:
                taken = min(self._missing, len(data) - start)
                self._missing -= taken
                start += taken
                continue
            taken = min(5 - len(self._head), len(data) - start)
            self._head += data[start : start + taken]
            start += taken
            if len(self._head) == 5:
                self.count += self._head[:1] == b"Z"
                self._missing = int.from_bytes(self._head[1:]) - 4
                self._head = b""


class Direction(asyncio.Protocol):
    """Hands what it receives to the transport of its `other` after a delay."""

    other: "Direction"
    transport: asyncio.Transport | None = None

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.due: deque[bytes | None] = deque()  # None is the end

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(IN_FLIGHT)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._later(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._later(None)

    def pause_writing(self) -> None:
        if self.other.transport:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other.transport:
            self.other.transport.resume_reading()

    def _later(self, data: bytes | None) -> None:
        if not self.delay:
            self._forward(data)
            return
        self.due.append(data)
        asyncio.get_running_loop().call_later(self.delay, lambda: self._forward(self.due.popleft()))

    def _forward(self, data: bytes | None) -> None:
        if not self.other.transport:
            return  # there is no server
        if data is None:
            self.other.transport.close()
        else:
            self.other.transport.write(data)


class FromServer(Direction):
    def __init__(self, delay: float, trips: "Synchronized[int]") -> None:
        super().__init__(delay)
        self.counted = Trips()
        self.trips = trips

    def data_received(self, data: bytes) -> None:
        before = self.counted.count
        self.counted.feed(data)
        self.trips.value += self.counted.count - before
        super().data_received(data)


class FromClient(Direction):
    """A connection of a client; what it sends waits until there is one to the server."""

    def __init__(self, host: str, port: int, delay: float, trips: "Synchronized[int]") -> None:
        super().__init__(delay)
        self.host, self.port = host, port
        self.other = FromServer(delay, trips)
        self.other.other = self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert self.transport
        self.transport.pause_reading()
        self._task = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        assert self.transport
        loop = asyncio.get_running_loop()
        try:
            if self.host.startswith("/"):
                path = str(Path(self.host, f".s.PGSQL.{self.port}"))
                await loop.create_unix_connection(lambda: self.other, path)
            else:
                await loop.create_connection(lambda: self.other, self.host, self.port)
        except OSError:
            self.transport.close()
        else:
            self.transport.resume_reading()


async def _serve(
    host: str, port: int, delay: float, trips: "Synchronized[int]", ready: Connection
) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: FromClient(host, port, delay, trips), "127.0.0.1", 0)
    ready.send(server.sockets[0].getsockname()[1])
    # Until the other end of the pipe is closed, or was with the process that had it.
    end = asyncio.Event()
    loop.add_reader(ready.fileno(), end.set)
    await end.wait()


def _loop() -> asyncio.AbstractEventLoop:
    # epoll, which asyncio takes, waits for whole milliseconds.
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


def _run(host: str, port: int, delay: float, trips: "Synchronized[int]", ready: Connection) -> None:
    with asyncio.Runner(loop_factory=_loop) as runner:
        runner.run(_serve(host, port, delay, trips, ready))


class Relay:
    """A relay that runs: the port on 127.0.0.1 at which it listens, and its process."""

    def __init__(self, port: int, pid: int, trips: "Synchronized[int]") -> None:
        self.port, self.pid = port, pid
        self._trips = trips

    @property
    def trips(self) -> int:
        """The round trips of all connections until now."""
        return self._trips.value


@contextmanager
def relay(host: str, port: int, delay: float = 0) -> Iterator[Relay]:
    """Run a relay to a server.

    Arguments:

    - `host`: a name, or the folder of its Unix socket.
    - `delay`: in seconds, for each direction: a round trip takes twice as long.
    """
    context = multiprocessing.get_context("spawn")
    trips: Synchronized[int] = context.Value("Q", 0)
    here, there = context.Pipe()
    process = context.Process(target=_run, args=(host, port, delay, trips, there), daemon=True)
    process.start()
    there.close()
    try:
        assert process.pid
        yield Relay(here.recv(), process.pid, trips)
    finally:
        here.close()
        process.join()
