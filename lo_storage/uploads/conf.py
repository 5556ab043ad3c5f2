"""The setting LO_STORAGE_UPLOADS: a dictionary of what differs from these."""

from datetime import timedelta
from typing import Any

from django.conf import settings

DEFAULTS: dict[str, Any] = {
    # The bytes of one upload.
    "MAX_SIZE": 1024**3,
    # What one user may have staged at once: bytes, and a number. None: any.
    "QUOTA_SIZE": 2 * 1024**3,
    "QUOTA_NUMBER": 200,
    # How long an upload stays that no request has asked for.
    "EXPIRES": timedelta(days=7),
    # What is asked before a row may take one, as dotted paths (accepting.py); None: nothing.
    "ACCEPT": [],
    "SCAN": None,
    # Where ClamAV's daemon listens: a path, or HOST:PORT. Only clamd.scan asks for it.
    "CLAMD": "/run/clamav/clamd.ctl",
}


def setting(name: str) -> Any:
    """Return a setting of the project, or its default."""
    return (DEFAULTS | getattr(settings, "LO_STORAGE_UPLOADS", {}))[name]


def hooks() -> str | None:
    """Return the names of those that let an upload in; None: everything gets in."""
    return " ".join([*setting("ACCEPT"), *filter(None, [setting("SCAN")])]) or None
