from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from lo_storage.uploads.models import Upload


def form():
    return {"title": "x", "data": SimpleUploadedFile("scan.pdf", b"content")}


def test_what_came_by_tus_is_saved_by_a_form(tus, documents):
    address = tus.begin(3, "a.pdf")
    tus.send(address, 0, b"abc")
    id = address.removeprefix("/uploads/").removesuffix("/")
    assert tus.post("/plain/", {"title": "x", "data-staged": id}).content == b"saved"
    with documents.objects.get().data.open() as data:
        assert data.read() == b"abc"


def test_a_stranger_stages_nothing(documents, large_objects):
    before = large_objects()
    response = Client().post("/one/", form())
    assert response.status_code == 302
    assert (Upload.objects.count(), large_objects()) == (0, before)


def test_a_form_is_read_after_the_token_was_asked_for(user, documents):
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    assert client.post("/one/", form()).status_code == 403


def test_a_request_of_another_site_stages_nothing(user, documents, large_objects):
    before = large_objects()
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    assert client.post("/one/", form()).status_code == 403
    assert (Upload.objects.count(), large_objects()) == (0, before)


def test_too_many_fields_leave_nothing(tus, documents, settings, large_objects):
    before = large_objects()
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 3
    data = form() | {f"field-{number}": "x" for number in range(5)}
    assert tus.post("/one/", data).status_code == 400
    assert (Upload.objects.count(), large_objects()) == (0, before)


def test_whatever_handlers_a_site_has(tus, documents, settings):
    settings.FILE_UPLOAD_HANDLERS = ["lo_storage.uploads.handlers.UploadHandler"]
    assert tus.post("/one/", form()).content == b"saved"
    assert not Upload.objects.exists()
