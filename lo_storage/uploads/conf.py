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
}


def setting(name: str) -> Any:
    """Return a setting of the project, or its default."""
    return (DEFAULTS | getattr(settings, "LO_STORAGE_UPLOADS", {}))[name]
