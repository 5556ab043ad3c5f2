"""The body of a request, in pieces that are written, while its client is slow, silent, or gone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from time import monotonic

from django.http import HttpRequest, UnreadablePostError

from ..database import close_connections
from ..large_objects import WRITE_SIZE

# What is asked of the web server at first. A slow line brings it soon enough to look at the clock.
READ_SIZE = 64 * 1024

# For how many seconds a connection waits for the next piece. Measured: to connect again takes 3 ms.
SLOW = 0.1

# After how many seconds a piece is stored that is not whole yet.
PATIENCE = 5

# After how many seconds without a byte the thread goes to somebody else.
SILENCE = 15


class BrokenOff(Exception):
    """The rest of a body does not come."""


@contextmanager
def silence_ends(request: HttpRequest) -> Iterator[None]:
    """Let the body of a request, which is read in the block, end where nothing comes for `SILENCE`.

    gunicorn would wait for ever, and as many such clients as it has threads would stop the site.
    Where another server, or a proxy, has the body before Django does there is nothing to do.
    """
    connection = request.META.get("gunicorn.socket")
    before = connection and connection.gettimeout()
    if connection:
        connection.settimeout(SILENCE)
    yield
    # Not where it broke off: the rest of the body may be sought once more.
    if connection:
        connection.settimeout(before)


class Reader:
    """Reads a body by its `read()`, and asks it for as much at once as has come in a second before.

    gunicorn copies all that it has read ahead, up to a MiB, whenever it is asked for less.
    (Measured: by 64 KiB at once a MiB takes three times the processor time.) Of what is asked for
    it gives nothing where the line falls silent: then so much is lost, and is sent again.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read, self._at_once = read, READ_SIZE

    def read(self, size: int) -> bytes:
        """Return some bytes, `size` at the most; none where no more comes."""
        begun = monotonic()
        data = self._read(min(self._at_once, size))
        rate = len(data) / max(monotonic() - begun, 0.001)
        self._at_once = max(READ_SIZE, min(int(rate), WRITE_SIZE))
        return data


@contextmanager
def waiting(begun: float) -> Iterator[None]:
    """Let a client be waited for in the block, of whom something was awaited at `begun`.

    A pool has its connection back meanwhile; without a pool that of a client who is slow is closed.
    """
    close_connections(pooled_only=True)
    yield
    if monotonic() - begun > SLOW:
        close_connections()


def pieces(request: HttpRequest, offset: int, length: int) -> Iterator[bytes]:
    """Yield the body in pieces that end at whole MiB of the file, or after `PATIENCE`.

    (A piece that ends elsewhere has its last page written twice.) What came before the line broke
    is a piece, too; then it raises `BrokenOff`.
    """
    with silence_ends(request):
        yield from _pieces(request, offset, offset + length)


def _pieces(request: HttpRequest, offset: int, end: int) -> Iterator[bytes]:
    body = Reader(partial(_read, request))
    while offset < end:
        size = min(WRITE_SIZE - offset % WRITE_SIZE, end - offset)
        parts, begun, missing, is_broken = [], monotonic(), size, False
        while missing and monotonic() - begun < PATIENCE and not is_broken:
            with waiting(begun):
                part = body.read(missing)
            parts.append(part)
            missing -= len(part)
            is_broken = not part
        if missing < size:
            yield b"".join(parts)
        if is_broken:
            raise BrokenOff
        offset += size - missing


def _read(request: HttpRequest, size: int) -> bytes:
    try:
        return request.read(size)
    except UnreadablePostError:
        return b""
