"""Whoever mistypes in the admin chooses no file again, without JavaScript, either."""

import pytest
from django.db import connection
from playwright.sync_api import expect

from lo_storage.tests.models import Document
from lo_storage.tests.uploads.admin_urls import Page
from lo_storage.uploads.models import Upload

pytestmark = pytest.mark.browser_context_args(java_script_enabled=False)


@pytest.fixture
def documents(transactional_db, settings):
    settings.ROOT_URLCONF = "lo_storage.tests.uploads.admin_urls"
    settings.TEMPLATES = [{**engine, "DIRS": []} for engine in settings.TEMPLATES]
    with connection.schema_editor() as editor:
        editor.create_model(Document)
        editor.create_model(Page)
    yield Document
    with connection.schema_editor() as editor:
        editor.delete_model(Page)
        editor.delete_model(Document)


def test_a_refused_form_still_has_its_file(admins_page, documents):
    page = admins_page
    page.goto("/admin/lo_storage_tests/document/add/")
    # By name: the admin of each version of Django labels a file its own way.
    page.locator("[name=data]").set_input_files(
        {"name": "scan.pdf", "mimeType": "application/pdf", "buffer": b"content"}
    )
    page.locator("[name=page_set-0-data]").set_input_files(
        {"name": "page.pdf", "mimeType": "application/pdf", "buffer": b"page"}
    )
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("This field is required.")).to_have_count(2)
    expect(page.get_by_label("scan.pdf")).to_be_checked()
    expect(page.get_by_label("page.pdf")).to_be_checked()
    page.locator("[name=title]").fill("March")
    page.locator("[name=page_set-0-title]").fill("1")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    for row, content in [(documents.objects.get(), b"content"), (Page.objects.get(), b"page")]:
        with row.data.open() as data:
            assert data.read() == content
    assert not Upload.objects.exists()
