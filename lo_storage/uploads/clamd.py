"""`"SCAN": "lo_storage.uploads.clamd.scan"`: ask ClamAV's daemon whether an upload has a virus."""

import re
import socket
from contextlib import suppress
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from ..database import close_connections
from .conf import setting

# The seconds that clamd may be silent. By its own MaxScanTime it ends a scan after 120.
TIMEOUT = 150

FOUND = re.compile(r"stream: (.+) FOUND")
IS_TOO_LARGE = re.compile(r"size limit exceeded|Heuristics\.Limits\.Exceeded")


def scan(file: Any) -> str | None:
    """Return the name of the virus that an `UploadedFile` has; None: clamd knows of none.

    The content is sent by the command INSTREAM (`man clamd`): clamd needs no access to any file.
    Raises `OSError` where it cannot tell, and `ValidationError` for what is beyond its limits.
    """
    with _connect(setting("CLAMD")) as clamd:
        # Where it takes no more, it has said why.
        with suppress(BrokenPipeError, ConnectionResetError):
            clamd.sendall(b"zINSTREAM\0")
            for chunk in file.chunks():
                clamd.sendall(len(chunk).to_bytes(4))
                clamd.sendall(chunk)
            clamd.sendall(bytes(4))
        close_connections(pooled_only=True)
        received = b""
        while not received.endswith(b"\0") and (part := clamd.recv(4096)):
            received += part
    answer = received.rstrip(b"\0").decode(errors="replace")
    if IS_TOO_LARGE.search(answer):
        raise ValidationError(
            _(
                "It is too large, or too much is packed into it, to be checked for viruses."
                " Send it in smaller parts."
            )
        )
    if found := FOUND.fullmatch(answer):
        return found[1]
    if answer != "stream: OK":
        raise OSError(f"clamd answered {answer!r}")
    return None


def _connect(address: str) -> socket.socket:
    """Connect to the path of a socket, or to HOST:PORT."""
    if not address.startswith("/"):
        host, _, port = address.rpartition(":")
        return socket.create_connection((host, int(port)), TIMEOUT)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(TIMEOUT)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection
