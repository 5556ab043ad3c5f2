"""The catalogue in the admin is there to be looked at."""

import pytest
from django.contrib.admin import AdminSite

from lo_storage.admin import LargeObjectAdmin
from lo_storage.models import LargeObject

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin():
    return LargeObjectAdmin(LargeObject, AdminSite())


def test_a_row_is_looked_at_and_neither_made_nor_changed_nor_deleted(admin, admin_user, rf):
    request = rf.get("/")
    request.user = admin_user
    assert admin.get_model_perms(request) == {
        "add": False,
        "change": False,
        "delete": False,
        "view": True,
    }


@pytest.mark.parametrize("field", ["name", "original_name", "sha256"])
def test_a_file_is_found_by_its_names_and_its_checksum(admin, save, rf, field):
    save(b"another")
    entry = LargeObject.objects.get(name=save(b"march", "march.pdf"))
    everything = LargeObject.objects.all()
    found, _ = admin.get_search_results(rf.get("/"), everything, getattr(entry, field))
    assert list(found) == [entry]
