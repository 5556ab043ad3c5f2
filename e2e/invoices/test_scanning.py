"""A virus is refused at its field, and while the scanner is away files are held back, and kept."""

import pytest
from playwright.sync_api import expect

from invoices.models import Invoice
from lo_storage.tests.uploads.daemons import EICAR, daemon
from lo_storage.uploads.models import Upload

from .files import png
from .steps import upload

with_and_without_javascript = pytest.mark.parametrize(
    "javascript",
    [
        True,
        pytest.param(
            False, marks=pytest.mark.browser_context_args(java_script_enabled=False), id="no script"
        ),
    ],
)


@pytest.fixture
def scanner(settings):
    """A function that says where the scanner is."""

    def scanner(address):
        settings.LO_STORAGE_UPLOADS = {
            **settings.LO_STORAGE_UPLOADS,
            "SCAN": "lo_storage.uploads.clamd.scan",
            "CLAMD": address,
        }

    return scanner


@with_and_without_javascript
def test_a_virus_is_refused_and_the_other_file_is_kept(javascript, alices_page, sample, scanner):
    page = alices_page
    page.goto("/upload/")
    with daemon() as address:
        scanner(address)
        upload(page, sample("good.png", png()), sample("eicar.txt", EICAR))
        virus = "The virus “Eicar-Test-Signature” was found in it, so it was deleted."
        expect(page.get_by_text(f"eicar.txt: {virus}").first).to_be_visible()
        if javascript:
            expect(page.get_by_text("Has come", exact=True)).to_be_visible()  # the other one
        assert not Invoice.objects.exists()
        assert [upload.original_name for upload in Upload.objects.all()] == ["good.png"]
        if javascript:
            page.get_by_role("button", name="Remove eicar.txt").click()
        page.get_by_role("button", name="Upload", exact=True).click()
        expect(page.get_by_role("heading", name="good")).to_be_visible()
    assert not Upload.objects.exists()


@with_and_without_javascript
def test_while_the_scanner_is_away_a_file_is_held_back(javascript, alices_page, sample, scanner):
    page = alices_page
    page.goto("/upload/")
    scanner("/nowhere/clamd.ctl")
    upload(page, sample("good.png", png()))
    away = "could not be checked for viruses now. It is kept: try again in a moment."
    expect(page.get_by_text(f"“good.png” {away}").first).to_be_visible()
    assert not Invoice.objects.exists()
    with daemon() as address:
        scanner(address)
        page.get_by_role("button", name="Upload", exact=True).click()
        expect(page.get_by_role("heading", name="good")).to_be_visible()
    assert Invoice.objects.count() == 1
