"""Answers to who sends what is not taken now: they arrive, and say when to try again."""

import logging
from contextlib import suppress
from http import HTTPStatus
from time import monotonic

from django.http import HttpRequest, HttpResponse, UnreadablePostError

from ..database import close_connections
from . import tus
from .bodies import PATIENCE, READ_SIZE, silence_ends

# The bytes that are read of a body that is not wanted. A page sends pieces of 8 MiB.
UNWANTED = 16 * 1024**2

# The seconds after which it is worth to try again.
RETRY_AFTER = 5

DISK_FULL = "53100"  # PostgreSQL, appendix A

logger = logging.getLogger("lo_storage")


def read_on(request: HttpRequest) -> None:
    """Read what is left of the body, within bounds, so that the answer arrives.

    A server that closes before it has read it resets the connection (RFC 9112, section 9.6), and
    its client may never see the answer. While it is waited for, no connection is kept.
    """
    close_connections()
    left, end = UNWANTED, monotonic() + PATIENCE
    with suppress(UnreadablePostError), silence_ends(request):
        while left > 0 and monotonic() < end and (read := request.read(READ_SIZE)):
            left -= len(read)


def unavailable(error: Exception) -> HttpResponse:
    """Return 507 where the disk of the database is full, else 503; what has come is kept."""
    logger.error("The database takes no piece of an upload now", exc_info=error)
    if getattr(error.__cause__, "sqlstate", None) == DISK_FULL:
        status, sentence = HTTPStatus.INSUFFICIENT_STORAGE, "The server has no room left now."
    else:
        status, sentence = HTTPStatus.SERVICE_UNAVAILABLE, "The database is away now."
    return HttpResponse(
        f"{sentence} What has come is kept: go on in a moment.\n",
        content_type="text/plain",
        status=status,
        headers={
            "Retry-After": str(RETRY_AFTER),
            "Cache-Control": "no-store",
            "Tus-Resumable": tus.VERSION,
        },
    )
