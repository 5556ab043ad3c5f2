import os
from contextlib import suppress
from time import monotonic

import django
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest

from config.limits import largest_request, limit_statements

PIECE = 64 * 1024
LINGER = 30  # seconds


class Request(WSGIRequest):
    """A request that is read to its end, so that a refusal arrives.

    A server that closes a connection in which something is unread resets it, and the browser loses
    the answer that it has not seen yet, because it is still sending.
    """

    def __init__(self, environ):
        super().__init__(environ)
        self._sent = self._stream  # which the parser of forms replaces

    def close(self):
        """Called once the answer is sent."""
        super().close()
        unread = largest_request()  # For more than that nobody waits, unless it comes fast.
        until = monotonic() + LINGER
        with suppress(OSError):  # the browser went away
            while (unread > 0 or monotonic() < until) and (piece := self._sent.read(PIECE)):
                unread -= len(piece)


class Handler(WSGIHandler):
    request_class = Request


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup(set_prefix=False)
limit_statements()
application = Handler()
