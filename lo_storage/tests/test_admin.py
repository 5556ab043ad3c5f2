"""The catalogue in the admin is there to be looked at."""

import pytest
from django.contrib.admin import ModelAdmin, site
from django.test import RequestFactory

from lo_storage.models import LargeObject


@pytest.fixture
def request_of_an_admin(admin_user):
    request = RequestFactory().get("/")
    request.user = admin_user
    return request


def test_a_row_is_looked_at_and_neither_made_nor_changed_nor_deleted(request_of_an_admin, save):
    save()
    admin = site.get_model_admin(LargeObject)
    assert admin.get_model_perms(request_of_an_admin) == {
        "add": False,
        "change": False,
        "delete": False,
        "view": True,
    }
    assert ModelAdmin.has_delete_permission(admin, request_of_an_admin)
    (entry,) = LargeObject.objects.all()
    page = admin.changeform_view(request_of_an_admin, str(entry.pk)).render()
    assert entry.name in page.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("field", ["name", "original_name", "sha256"])
def test_a_file_is_found_by_its_names_and_its_checksum(save, rf, field):
    save(b"another")
    entry = LargeObject.objects.get(name=save(b"march", "march.pdf"))
    admin = site.get_model_admin(LargeObject)
    everything = LargeObject.objects.all()
    found, _ = admin.get_search_results(rf.get("/"), everything, getattr(entry, field))
    assert list(found) == [entry]
