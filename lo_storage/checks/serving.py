"""System checks of serving: what db_serve tells a web server leads somewhere."""

from typing import Any

from django.conf import settings
from django.core import checks
from django.urls import NoReverseMatch, reverse


@checks.register(checks.Tags.urls)
def check_x_accel(**kwargs: Any) -> list[checks.CheckMessage]:
    """E009: where nginx is to send files, there is an address of theirs."""
    if not getattr(settings, "PG_LO_STORAGE_X_ACCEL", False):
        return []
    try:
        reverse("lo_storage_accel:content", args=["a"])
    except NoReverseMatch:
        return [
            checks.Error(
                "PG_LO_STORAGE_X_ACCEL is on, and there is no address at which nginx finds the"
                " content: each file of 256 KiB or more would be a server error.",
                hint='Have path("x-accel/", include("lo_storage.accel")) in ROOT_URLCONF.',
                id="lo_storage.E009",
            )
        ]
    return []
