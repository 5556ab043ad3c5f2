"""Lines between a client and a site: relays that cut, or hold, what they are given."""

import asyncio
import socket
import threading
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Cut(Exception):
    """The line is cut here."""


class Line:
    """A relay to a server, with an address of its own."""

    def __init__(self, address):
        self.port = urlsplit(address).port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://localhost:{self.listener.getsockname()[1]}"
        self.is_served = threading.Event()
        self.tasks, self.ends = set(), set()  # of which asyncio itself keeps none

    async def serve(self):
        self.loop, self.over = asyncio.get_running_loop(), asyncio.Event()
        self.opened = asyncio.Event()
        server = await asyncio.start_server(self.connected, sock=self.listener)
        self.is_served.set()
        await self.over.wait()
        server.close()

    async def connected(self, from_client, to_client):
        self.tasks.add(asyncio.current_task())
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self.port)
        ends = {to_client, to_server}
        self.ends |= ends
        ways = [(from_client, to_server), (from_server, to_client)]
        try:
            with suppress(Cut):
                counted = self.begin()
                await asyncio.gather(*(self.pass_on(*way, counted) for way in ways))
        finally:
            self.ends -= ends
            for end in ends:
                end.transport.abort()

    async def pass_on(self, source, sink, counted):
        with suppress(ConnectionError):  # of those that were cut
            while data := await source.read(16 * 1024):
                await self.look(data, sink, counted)
                sink.write(data)
                await sink.drain()
            sink.write_eof()

    def begin(self):
        """What is counted of a connection."""
        return [0]

    async def look(self, data, sink, counted):
        """Before it is passed on, either way."""


class LineThatHolds(Line):
    """Holds each connection by which more than `HELD` bytes came, until it is open."""

    HELD = 3 * 1024**2 // 2

    def __init__(self, address):
        super().__init__(address)
        self.is_held, self.is_broken = threading.Event(), False

    def begin(self):
        if self.is_broken:
            raise Cut
        return super().begin()

    async def look(self, data, sink, counted):
        counted[0] += len(data)
        if counted[0] > self.HELD and not self.opened.is_set():
            self.is_held.set()
            await self.opened.wait()

    def break_(self):
        """Cut all connections, and those that come until it is open."""
        self.is_broken = True
        self.loop.call_soon_threadsafe(self._cut)

    def open(self):
        self.is_broken = False
        self.loop.call_soon_threadsafe(self.opened.set)

    def _cut(self):
        for end in self.ends:
            end.transport.abort()


@contextmanager
def served(line):
    # In a thread: Playwright's loop may run in this one.
    thread = threading.Thread(target=lambda: asyncio.run(line.serve()))
    thread.start()
    line.is_served.wait()
    try:
        yield line
    finally:
        line.loop.call_soon_threadsafe(line.over.set)
        thread.join()
