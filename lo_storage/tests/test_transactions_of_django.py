"""Django's own test cases, and its requests: where a file's transaction begins and ends."""

import pytest
from django.conf import global_settings
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, connections, transaction
from django.http import HttpResponse
from django.test import TestCase, TransactionTestCase, modify_settings
from django.urls import path

from lo_storage.models import LargeObject
from lo_storage.storage import db_file_storage

from .models import Attachment, Document


def new_document(data=b"march"):
    return Document.objects.create(data=ContentFile(data, "march.txt"))


class WithTables:
    """Makes the tables before anything else, and drops them after all else."""

    @classmethod
    def setUpClass(cls):
        with connection.schema_editor() as editor:
            editor.create_model(Document)
            editor.create_model(Attachment)
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        with connection.schema_editor() as editor:
            editor.delete_model(Attachment)
            editor.delete_model(Document)


@modify_settings(INSTALLED_APPS={"append": "lo_storage.tests"})
class InOneTransaction(WithTables, TestCase):
    """A test begins with what the class has made, whatever another one did with it."""

    @classmethod
    def setUpTestData(cls):
        cls.document = new_document()

    def check(self):
        assert [entry.name for entry in LargeObject.objects.all()] == [self.document.data.name]
        with Document.objects.get().data.open() as file:
            assert file.read() == b"march"

    def test_overwriting(self):
        self.check()
        with self.document.data.open("wb") as file:
            file.write(b"april")
        assert self.document.data.size == 5
        with Document.objects.get().data as file:
            assert file.read() == b"april"

    def test_replacing_and_rolling_back(self):
        self.check()
        with transaction.atomic():
            self.document.data.save("april.txt", ContentFile(b"april"))
            transaction.set_rollback(True)
        self.document.refresh_from_db()
        self.check()

    def test_a_file_that_no_row_names_goes_when_constraints_are_checked(self):
        """As at a commit, which a test case never comes to."""
        self.check()
        Document.objects.all().delete()
        assert LargeObject.objects.exists()
        connection.check_constraints()
        assert not LargeObject.objects.exists()

    def test_a_row_of_a_missing_file_is_refused_when_constraints_are_checked(self):
        self.check()
        with pytest.raises(IntegrityError), transaction.atomic():  # noqa: PT012  # its end, too
            db_file_storage.delete(self.document.data.name)
            connection.check_constraints()
        self.check()


@modify_settings(INSTALLED_APPS={"append": "lo_storage.tests"})
class Committed(WithTables, TransactionTestCase):
    """A test begins with no row and no large object: flushing unlinks them."""

    def check(self):
        assert not connection.in_atomic_block
        with connection.cursor() as cursor:
            cursor.execute("select count(*) from pg_largeobject_metadata")
            assert cursor.fetchone() == (0,)
        new_document()
        with Document.objects.get().data as file:
            assert file.read() == b"march"

    test_one = test_and_another = check


def upload(request):
    """Stores a row, its file and another file, and then breaks if it is told so."""
    document = Document.objects.create(data=request.FILES["data"])
    document.scan.save("scan.txt", ContentFile(b"scan"))
    if "break" in request.GET:
        raise ZeroDivisionError
    with document.data as file:
        return HttpResponse(file.read())


def handler500(request):
    return HttpResponse(status=500)


urlpatterns = [path("upload/", upload)]


@pytest.mark.parametrize(
    ("atomic_requests", "query", "status", "kept"),
    [(False, "", 200, 2), (False, "?break", 500, 2), (True, "", 200, 2), (True, "?break", 500, 0)],
)
def test_a_request(
    documents, large_objects, client, settings, monkeypatch, atomic_requests, query, status, kept
):
    """What a broken request leaves: with ATOMIC_REQUESTS nothing, or each row with its file."""
    settings.ROOT_URLCONF = __name__
    settings.FILE_UPLOAD_HANDLERS = global_settings.FILE_UPLOAD_HANDLERS  # not a site's own
    settings.MIDDLEWARE = []
    monkeypatch.setitem(connections["default"].settings_dict, "ATOMIC_REQUESTS", atomic_requests)
    client.raise_request_exception = False
    response = client.post(f"/upload/{query}", {"data": SimpleUploadedFile("march.txt", b"march")})
    assert response.status_code == status
    assert len(large_objects()) == kept
    named = Document.objects.values_list("data", "scan")
    assert {name for names in named for name in names} == {
        entry.name for entry in LargeObject.objects.all()
    }
