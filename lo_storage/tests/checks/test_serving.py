import pytest
from django.core import checks
from django.urls import include, path

from lo_storage.checks.serving import check_x_accel

urlpatterns = [path("below/x-accel/", include("lo_storage.accel"))]


class NoAddresses:
    urlpatterns = []


@pytest.mark.parametrize(("is_on", "urlconf"), [(False, NoAddresses), (True, __name__)])
def test_nginx_finds_the_content(settings, is_on, urlconf):
    settings.PG_LO_STORAGE_X_ACCEL, settings.ROOT_URLCONF = is_on, urlconf
    assert check_x_accel() == []


def test_nginx_does_not_find_the_content(settings):
    settings.PG_LO_STORAGE_X_ACCEL, settings.ROOT_URLCONF = True, NoAddresses
    assert check_x_accel() == [
        checks.Error(
            "PG_LO_STORAGE_X_ACCEL is on, and there is no address at which nginx finds the"
            " content: each file of 256 KiB or more would be a server error.",
            hint='Have path("x-accel/", include("lo_storage.accel")) in ROOT_URLCONF.',
            id="lo_storage.E009",
        )
    ]
