import pytest
from django.contrib.admin import AdminSite

from lo_storage.admin import LargeObjectAdmin
from lo_storage.models import LargeObject

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("admin_site")]


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
