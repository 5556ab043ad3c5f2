import pytest
from django.conf.urls.i18n import i18n_patterns
from django.core import checks
from django.urls import include, path

from lo_storage.checks.serving import check_x_accel

OURS = path("x-accel/", include("lo_storage.accel"))


class Root:
    urlpatterns = [OURS]


class NoAddresses:
    urlpatterns = []


class Below:
    urlpatterns = [path("below/", include([OURS]))]


class OfEachLanguage:
    urlpatterns = i18n_patterns(OURS)


class OfOtherLanguages:
    urlpatterns = i18n_patterns(OURS, prefix_default_language=False)


@pytest.fixture(autouse=True)
def on(settings):
    settings.PG_LO_STORAGE_X_ACCEL = True
    settings.LANGUAGE_CODE = "en"
    settings.LANGUAGES = [("de", "Deutsch"), ("en", "English")]


@pytest.mark.parametrize(("is_on", "urlconf"), [(False, NoAddresses), (True, Root)])
def test_nginx_finds_the_content(settings, is_on, urlconf):
    settings.PG_LO_STORAGE_X_ACCEL, settings.ROOT_URLCONF = is_on, urlconf
    assert check_x_accel() == []


def test_nginx_does_not_find_the_content(settings):
    settings.ROOT_URLCONF = NoAddresses
    assert check_x_accel() == [
        checks.Error(
            "PG_LO_STORAGE_X_ACCEL is on, and there is no address at which nginx finds the"
            " content: each file of 256 KiB or more would be a server error.",
            hint='Have path("x-accel/", include("lo_storage.accel")) in ROOT_URLCONF.',
            id="lo_storage.E009",
        )
    ]


@pytest.mark.parametrize(
    ("urlconf", "addresses"),
    [
        (Below, ["/below/x-accel/"]),
        (OfEachLanguage, ["/de/x-accel/", "/en/x-accel/"]),
        (OfOtherLanguages, ["/de/x-accel/"]),
    ],
)
def test_nginx_is_sent_past_its_location(settings, urlconf, addresses):
    settings.ROOT_URLCONF = urlconf
    assert check_x_accel() == [
        checks.Warning(
            f"PG_LO_STORAGE_X_ACCEL is on, and db_serve sends nginx to '{address}', where a"
            " configuration with the location '/x-accel/' keeps nothing, and leaves out headers"
            " of the file.",
            hint='Have path("x-accel/", include("lo_storage.accel")) at the root of ROOT_URLCONF,'
            " and outside of i18n_patterns(). Or have this location in nginx, and silence the"
            " check.",
            id="lo_storage.W010",
        )
        for address in addresses
    ]
