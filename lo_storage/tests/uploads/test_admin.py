import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from lo_storage.uploads.models import Upload

from ..models import Picture
from .admin_urls import Page

ADD = "/admin/lo_storage_tests/document/add/"


@pytest.fixture
def pages(documents):
    """The model `Page`, with its table."""
    with connection.schema_editor() as editor:
        editor.create_model(Page)
    yield Page
    with connection.schema_editor() as editor:
        editor.delete_model(Page)


@pytest.fixture
def staff(pages, user, settings):
    settings.ROOT_URLCONF = "lo_storage.tests.uploads.admin_urls"
    settings.TEMPLATES = [{**engine, "DIRS": []} for engine in settings.TEMPLATES]
    user.is_staff = user.is_superuser = True
    user.save()
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    return client


def submit(client, address, **fields):
    """Send the form of a page, with the token that it has."""
    page = client.get(address).content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
    inline = dict(re.findall(r'name="(page_set-\w+_FORMS)" value="(\d+)"', page))
    data = {"title": "x", "csrfmiddlewaretoken": token, **inline, **fields}
    return client.post(address, {key.replace("__", "-"): value for key, value in data.items()})


def kept(response):
    """The fields that offer to keep a file, each with the last id and its name."""
    found = re.findall(
        r'name="([^"]+-staged)" value="([^"]+)" checked> <bdi>([^<]*)</bdi>',
        response.content.decode(),
    )
    return {field: (id, name) for field, id, name in found}


def file(name="scan.pdf", content=b"content"):
    return SimpleUploadedFile(name, content)


def read(row):
    with row.data.open() as data:
        return data.read()


def test_a_refused_form_keeps_its_file(staff, documents):
    refused = submit(staff, ADD, title="x" * 51, data=file())
    ((id, name),) = kept(refused).values()
    assert name == "scan.pdf"
    assert submit(staff, ADD, data__staged=id).status_code == 302
    document = documents.objects.get()
    assert read(document) == b"content"
    assert not Upload.objects.exists()


def test_a_file_looks_as_the_admin_has_it_and_can_be_replaced_and_cleared(staff, documents):
    submit(staff, ADD, data=file())
    document = documents.objects.get()
    address = f"/admin/lo_storage_tests/document/{document.pk}/change/"
    page = staff.get(address).content.decode()
    current = r'<p class="file-upload">Currently: <a href="[^"]*">%s</a>\s*'
    clear = r'<span class="clearable-file-input">\s*<input type="checkbox" name="data-clear"'
    assert re.search(current % document.data.name + clear, page)

    refused = submit(staff, address, title="x" * 51, data=file("new.pdf", b"new"))
    ((id, name),) = kept(refused).values()
    assert name == "new.pdf"
    assert re.search(current % document.data.name, refused.content.decode())
    submit(staff, address, data__staged=id)
    document.refresh_from_db()
    assert read(document) == b"new"

    submit(staff, address, **{"data-clear": "on"})
    document.refresh_from_db()
    assert not document.data


def test_an_inline_keeps_its_files(staff, documents, pages):
    rows = {"page_set-0-title": "12345", "page_set-1-title": "123456", "page_set-TOTAL_FORMS": 2}
    files = {"page_set-0-data": file("a.pdf", b"a"), "page_set-1-data": file("b.pdf", b"b")}
    refused = submit(staff, ADD, **rows, **files)
    named = {field: id for field, (id, _name) in kept(refused).items()}
    assert list(named) == ["page_set-0-data-staged", "page_set-1-data-staged"]
    rows["page_set-1-title"] = "1"
    assert submit(staff, ADD, **rows, **named).status_code == 302
    assert [read(page) for page in pages.objects.order_by("pk")] == [b"a", b"b"]


def test_an_upload_of_another_user_is_refused_at_its_field(staff, documents, staged, stranger):
    id = str(staged(owner=stranger).pk)
    refused = submit(staff, ADD, data__staged=id)
    assert "An upload is no longer here. Choose its file again." in refused.content.decode()
    assert not documents.objects.exists()


def test_an_image_is_still_asked_for_its_content(staff):
    with connection.schema_editor() as editor:
        editor.create_model(Picture)
    refused = submit(staff, "/admin/lo_storage_tests/picture/add/", image=file("a.png", b"no"))
    assert "not an image or a corrupted image" in refused.content.decode()
    assert not Picture.objects.exists()
    with connection.schema_editor() as editor:
        editor.delete_model(Picture)


def test_a_request_of_another_site_stages_nothing(staff, documents):
    assert staff.post(ADD, {"title": "x", "data": file()}).status_code == 403
    assert (Upload.objects.count(), documents.objects.count()) == (0, 0)
