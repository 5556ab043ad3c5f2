"""What gunicorn runs with in the container: gunicorn --config=python:config.gunicorn config.wsgi"""

import os
import socket
import struct
from time import monotonic

bind = f"0.0.0.0:{os.environ.get('PORT', '8000')}"
workers = 2
threads = 8  # because a download waits for its reader
worker_tmp_dir = "/dev/shm"
control_socket_disable = True
accesslog = "-"
graceful_timeout = 120  # seconds, in which a running upload ends when the site is stopped

STALLED = 30  # seconds
SLOWEST = 8 * 1024  # bytes a second; a poor line of a phone has more


class Paced:
    """The connection of a request, whose body must not come more slowly than that."""

    def __init__(self, connection):
        self.connection = connection
        self.until = monotonic() + STALLED

    def recv(self, size):
        if monotonic() > self.until:
            raise TimeoutError("the body comes too slowly")
        piece = self.connection.recv(size)
        self.until += len(piece) / SLOWEST
        return piece

    def __getattr__(self, name):
        return getattr(self.connection, name)


def pre_request(worker, request):
    """Cut a client that sends a byte now and then, for which no time-out of a socket comes."""
    reader = request.unreader
    reader.sock = Paced(getattr(reader.sock, "connection", reader.sock))


def post_request(worker, request, environ, response):
    """The next request of the connection has a time of its own."""
    request.unreader.sock = getattr(request.unreader.sock, "connection", request.unreader.sock)


def when_ready(server):
    """Cut a client that sends or reads nothing for so long, so that no thread waits for ever."""
    for listener in server.LISTENERS:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):  # as each connection inherits them
            listener.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", STALLED, 0))
