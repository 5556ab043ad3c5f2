import pytest
from django.contrib.admin import AdminSite
from django.db import connection
from django.urls import reverse

from lo_storage.admin import LargeObjectAdmin
from lo_storage.models import LargeObject

from ..models import Document

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


def change(file, view="change"):
    return reverse(f"admin:lo_storage_largeobject_{view}", args=[file.pk])


@pytest.fixture
def file(installed_documents, save):
    """A file that one row names."""
    name = save(b"<script>", "march.html")
    Document.objects.create(title="March", data=name)
    return LargeObject.objects.get(name=name)


def test_the_page_of_a_file_has_what_the_catalogue_knows_its_owner_and_its_rows(file, admin_client):
    page = admin_client.get(change(file)).content.decode()
    with connection.cursor() as cursor:
        cursor.execute("select current_user")
        (role,) = cursor.fetchone()
    row = Document.objects.get()
    for part in [
        file.sha256,
        "march.html",
        f"owned by the role {role}.",
        "lo_storage_tests.Document.data",
        f'<a href="{reverse("admin:lo_storage_tests_document_change", args=[row.pk])}">March</a>',
        f'<a href="{change(file, "download")}">Download</a>',
    ]:
        assert part in page


def test_a_file_that_no_row_names(save, documents, admin_client):
    file = LargeObject.objects.get(name=save())
    page = admin_client.get(change(file)).content.decode()
    assert "None." in page
    assert "Download" in page


def test_a_file_whose_object_is_gone(file, admin_client):
    with connection.cursor() as cursor:
        cursor.execute("select lo_unlink(%s)", [file.loid])
    page = admin_client.get(change(file)).content.decode()
    assert "There is no large object of this number" in page
    assert "Download" not in page


def test_what_is_downloaded_is_saved_and_runs_nowhere(file, admin_client):
    response = admin_client.get(change(file, "download"))
    assert response.getvalue() == b"<script>"
    headers = {name: response[name] for name in ("Content-Type", "Content-Disposition")}
    assert headers == {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": 'attachment; filename="march.html"',
    }
    assert {"private", "no-store"} <= set(response["Cache-Control"].split(", "))
    assert "sandbox" in response["Content-Security-Policy"]
    assert response["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("models", "page", "download", "is_told"),
    [
        ([], 403, 403, False),
        ([Document], 403, 403, False),  # who does not see the catalogue
        ([LargeObject], 200, 403, False),
        ([LargeObject, Document], 200, 200, True),
    ],
)
def test_staff_may_have_a_file_if_they_may_see_a_row(file, staff, models, page, download, is_told):
    client = staff(*models)
    response = client.get(change(file))
    assert response.status_code == page
    assert ("Download" in response.content.decode()) is is_told
    assert ("March" in response.content.decode()) is is_told
    if page == 200 and not is_told:
        assert "1 that is not shown to you" in response.content.decode()
    assert client.get(change(file, "download")).status_code == download


def test_others_are_asked_to_sign_in(file, client, django_user_model):
    for user in [None, django_user_model.objects.create_user("stranger")]:
        if user:
            client.force_login(user)
        for view in ["change", "download", "changelist"]:
            address = (
                change(file, view)
                if view != "changelist"
                else reverse("admin:lo_storage_largeobject_changelist")
            )
            response = client.get(address)
            assert (response.status_code, response["Location"]) == (
                302,
                f"{reverse('admin:login')}?next={address}",
            )


def test_a_file_that_is_not_there(admin_client):
    missing = LargeObject(pk=1)
    assert admin_client.get(change(missing, "download")).status_code == 404
    assert admin_client.get(change(missing)).status_code == 302  # as Django's admin has it


def test_a_download_is_asked_for_by_get(file, admin_client):
    assert admin_client.post(change(file, "download")).status_code == 405


class DocumentsElsewhere:
    """A router that has the rows in another database than their files."""

    def db_for_write(self, model, **hints):
        return "rows" if model is Document else None


def test_rows_in_another_database_are_said(file, admin_client, staff, settings):
    settings.DATABASE_ROUTERS = [DocumentsElsewhere()]
    assert "the rows of lo_storage_tests" in admin_client.get(change(file)).content.decode()
    client = staff(LargeObject)
    assert client.get(change(file)).status_code == 200
    assert client.get(change(file, "download")).status_code == 403
