"""A way to the test's database that can be closed."""

import socket
import threading
from contextlib import suppress

from django.db import connection


class Door:
    """A port that leads to the test's database, as long as it is open."""

    def __init__(self):
        self.listener, self.through = None, []
        self.deaf = set()
        self.refuses = 0  # so many of those who come, while it is open
        self.unheard = None  # a statement, of which nobody hears how it went: its session ends
        self.behind = [connection.settings_dict[name] for name in ("HOST", "PORT")]

    def __enter__(self):
        # Holds the port while the door is closed: other tests take any that is free.
        self.holder = socket.socket()
        self.holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.holder.bind(("127.0.0.1", 0))
        self.port = self.holder.getsockname()[1]
        self.open()
        return self

    def __exit__(self, *exc_info):
        if self.listener:
            self.close()
        self.holder.close()

    def open(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._let_in, args=[self.listener]).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept()
        self.listener.close()
        self.listener = None
        for side in self.through:
            with suppress(OSError):  # closed by the other side
                side.shutdown(socket.SHUT_RDWR)
        self.through.clear()

    def _let_in(self, listener):
        with suppress(OSError):  # closed
            while True:
                outside, _ = listener.accept()
                if self.refuses:
                    self.refuses -= 1
                    outside.close()
                    continue
                inside = self._database()
                self.through += [outside, inside]
                for pass_on in [self._ask, self._answer]:
                    threading.Thread(target=pass_on, args=[outside, inside]).start()

    def _database(self):
        host, port = self.behind
        if not host.startswith("/"):
            return socket.create_connection((host or "localhost", port or 5432))
        inside = socket.socket(socket.AF_UNIX)
        inside.connect(f"{host}/.s.PGSQL.{port or 5432}")
        return inside

    def _ask(self, outside, inside):
        with outside, suppress(OSError):
            while piece := outside.recv(65536):
                if self.unheard and self.unheard in piece:
                    self.deaf.add(inside)
                inside.sendall(piece)
            inside.shutdown(socket.SHUT_RDWR)

    def _answer(self, outside, inside):
        with inside, suppress(OSError):
            while (piece := inside.recv(65536)) and inside not in self.deaf:
                outside.sendall(piece)
            outside.shutdown(socket.SHUT_RDWR)
