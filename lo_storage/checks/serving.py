"""System checks of serving: what db_serve tells a web server leads somewhere."""

from typing import Any

from django.conf import settings
from django.core import checks
from django.urls import NoReverseMatch, reverse
from django.utils.translation import override

LOCATION = "/x-accel/"


@checks.register(checks.Tags.urls)
def check_x_accel(**kwargs: Any) -> list[checks.CheckMessage]:
    """E009, W010: where nginx is to send files, there is an address, and it is nginx's location."""
    if not getattr(settings, "PG_LO_STORAGE_X_ACCEL", False):
        return []
    try:
        addresses = {_address(language) for language in _some_languages()}
    except NoReverseMatch:
        return [
            checks.Error(
                "PG_LO_STORAGE_X_ACCEL is on, and there is no address at which nginx finds the"
                " content: each file of 256 KiB or more would be a server error.",
                hint='Have path("x-accel/", include("lo_storage.accel")) in ROOT_URLCONF.',
                id="lo_storage.E009",
            )
        ]
    return [
        checks.Warning(
            f"PG_LO_STORAGE_X_ACCEL is on, and db_serve sends nginx to {address!r}, where a"
            f" configuration with the location {LOCATION!r} keeps nothing, and leaves out headers"
            " of the file.",
            hint='Have path("x-accel/", include("lo_storage.accel")) at the root of ROOT_URLCONF,'
            " and outside of i18n_patterns(). Or have this location in nginx, and silence the"
            " check.",
            id="lo_storage.W010",
        )
        for address in sorted(addresses - {LOCATION})
    ]


def _some_languages() -> set[str]:
    """Return the default language, which `i18n_patterns` may leave alone, and another if any."""
    languages = [settings.LANGUAGE_CODE, *dict(settings.LANGUAGES)]
    return {*languages[:2], languages[-1]}


def _address(language: str) -> str:
    with override(language):
        return reverse("lo_storage_accel:content", args=["a"]).removesuffix("a")
