import pytest
from django.db import connection
from django.urls import reverse

from lo_storage.admin import rows
from lo_storage.admin.rows import Column, may_see_a_row, rows_naming
from lo_storage.models import LargeObject

from ..models import Attachment, Document
from .urls import site

pytestmark = pytest.mark.usefixtures("installed_documents", "admin_site")

DATA, SCAN = "lo_storage_tests.Document.data", "lo_storage_tests.Document.scan"


@pytest.fixture
def request_of(rf, django_user_model):
    """A function that returns a request of a superuser, or of staff without any permission."""

    def make(is_superuser):
        user = django_user_model.objects.create_user(
            f"user{is_superuser}", is_staff=True, is_superuser=is_superuser
        )
        request = rf.get("/")
        request.user = user
        return request

    return make


def test_rows_have_links_and_of_a_table_without_a_model_are_counted(save, request_of):
    file = LargeObject.objects.get(name=save())
    first = Document.objects.create(title="March", data=file.name)
    second = Document.objects.create(title="April", data=file.name, scan=file.name)
    Document.objects.create(title="May", data=save())
    Attachment.objects.create(data=file.name)
    address = "admin:lo_storage_tests_document_change"
    links = {row: (row.title, reverse(address, args=[row.pk])) for row in (first, second)}
    assert rows_naming(site, request_of(is_superuser=True), file) == [
        Column(DATA, [links[first], links[second]], 0),
        Column(SCAN, [links[second]], 0),
        Column("lo_storage_tests_attachment.data", [], 1),
    ]


def test_rows_that_somebody_may_not_see_are_counted(save, request_of):
    file = LargeObject.objects.get(name=save())
    Document.objects.create(title="March", data=file.name)
    request = request_of(is_superuser=False)
    assert rows_naming(site, request, file) == [Column(DATA, [], 1)]
    assert not may_see_a_row(site, request, file)


def test_a_row_that_the_model_s_admin_does_not_list_is_counted(save, request_of, monkeypatch):
    file = LargeObject.objects.get(name=save())
    Document.objects.create(title="hidden", data=file.name)
    Document.objects.create(title="refused", data=file.name)
    seen = Document.objects.create(title="seen", data=file.name)
    of_documents = site._registry[Document]
    monkeypatch.setattr(
        of_documents, "get_queryset", lambda request: Document.objects.exclude(title="hidden")
    )
    monkeypatch.setattr(
        of_documents,
        "has_view_or_change_permission",
        lambda request, obj=None: obj is None or obj.title != "refused",
    )
    request = request_of(is_superuser=False)
    ((_, ((title, _),), others),) = rows_naming(site, request, file)
    assert (title, others) == ("seen", 2)
    assert may_see_a_row(site, request, file)
    seen.delete()
    assert not may_see_a_row(site, request, file)


def test_of_many_rows_the_first_have_links(save, request_of, monkeypatch):
    monkeypatch.setattr(rows, "MOST", 2)
    file = LargeObject.objects.get(name=save())
    Document.objects.bulk_create(Document(title=str(n), data=file.name) for n in range(5))
    ((_, links, others),) = rows_naming(site, request_of(is_superuser=True), file)
    assert ([title for title, _ in links], others) == (["0", "1"], 3)


def test_a_model_that_the_admin_does_not_have_is_counted(save, request_of, monkeypatch):
    monkeypatch.delitem(site._registry, Document)
    file = LargeObject.objects.get(name=save())
    Document.objects.create(data=file.name)
    assert rows_naming(site, request_of(is_superuser=True), file) == [Column(DATA, [], 1)]


def test_a_column_of_any_name(save, request_of):
    file = LargeObject.objects.get(name=save())
    with connection.cursor() as cursor:
        cursor.execute(
            'create table odd ("a%s {b}" text references lo_storage_largeobject (name))', None
        )
        cursor.execute("insert into odd values (%s)", [file.name])
        try:
            found = rows_naming(site, request_of(is_superuser=True), file)
        finally:
            cursor.execute("drop table odd")
    assert found == [Column("odd.a%s {b}", [], 1)]
