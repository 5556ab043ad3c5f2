"""What gunicorn runs with in the container: gunicorn --config=python:config.gunicorn config.wsgi"""

import os
import socket
import struct

bind = f"0.0.0.0:{os.environ.get('PORT', '8000')}"
workers = 2
threads = 8  # because a download waits for its reader
worker_tmp_dir = "/dev/shm"
control_socket_disable = True
accesslog = "-"
graceful_timeout = 120  # seconds, in which a running upload ends when the site is stopped

STALLED = 30  # seconds


def when_ready(server):
    """Cut a client that sends or reads nothing for so long, so that no thread waits for ever."""
    for listener in server.LISTENERS:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):  # as each connection inherits them
            listener.sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", STALLED, 0))
