"""A limit is a sentence on the page, and leaves nothing."""

import re

import pytest
from playwright.sync_api import expect

from .files import noise, png
from .steps import upload

KiB = 1024

# The browser says it before anything is sent, and without JavaScript the server does.
with_and_without_javascript = pytest.mark.parametrize(
    "javascript",
    [
        True,
        pytest.param(
            False, marks=pytest.mark.browser_context_args(java_script_enabled=False), id="no script"
        ),
    ],
)


@pytest.fixture(autouse=True)
def small_limits(settings):
    settings.LO_STORAGE_UPLOADS = {**settings.LO_STORAGE_UPLOADS, "MAX_SIZE": 100 * KiB}
    settings.UPLOAD_MAX_BATCH_SIZE = 150 * KiB
    settings.UPLOAD_MAX_BATCH_FILES = 3


# The browser says it in words of its own.
TOO_LARGE = re.compile(
    r"(The file is too large|It has 101.0 KB). One file may have up to 100[.,]0\sKB."
)


@pytest.fixture(autouse=True)
def nothing_is_left(snapshot):
    yield
    assert snapshot() == ({}, set(), set())


@with_and_without_javascript
def test_a_file_that_is_too_large(javascript, alices_page, sample):
    page = alices_page
    page.goto("/upload/")
    upload(page, sample("large.bin", noise(101 * KiB)), sample("small.png", png()))
    expect(page.get_by_text(TOO_LARGE)).to_be_visible()
    expect(page).to_have_url("/upload/")


@with_and_without_javascript
def test_an_empty_file(javascript, alices_page, sample):
    page = alices_page
    page.goto("/upload/")
    upload(page, sample("good.png", png()), sample("empty.pdf", b""))
    expect(page.get_by_text("The file is empty, so there is no invoice in it.")).to_be_visible()
    expect(page.get_by_text("empty.pdf").first).to_be_visible()


@with_and_without_javascript
def test_too_many_files(javascript, alices_page, sample):
    page = alices_page
    page.goto("/upload/")
    upload(page, *(sample(f"{n}.png", png()) for n in range(4)))
    expect(page.get_by_text("These are 4 files. One upload may have up to 3.")).to_be_visible()


@with_and_without_javascript
def test_too_much_together(javascript, alices_page, sample):
    page = alices_page
    page.goto("/upload/")
    upload(page, *(sample(f"{n}.bin", noise(80 * KiB)) for n in range(2)))
    together = r"Together they are 160[.,]0\sKB large. One upload may have up to 150[.,]0\sKB."
    expect(page.get_by_text(re.compile(together))).to_be_visible()


@with_and_without_javascript
def test_no_file(javascript, alices_page):
    page = alices_page
    page.goto("/upload/")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_text("Choose at least one file.")).to_be_visible()


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_far_too_many_files(alices_page):
    page = alices_page
    page.goto("/upload/")
    file = {"mimeType": "image/png", "buffer": png()}
    upload(page, *({"name": f"{n}.png", **file} for n in range(101)))
    expect(page.get_by_role("heading", name="That was too much at once")).to_be_visible()


def test_who_takes_out_the_file_that_is_too_large_can_upload_the_rest(
    alices_page, alice, sample, snapshot
):
    page = alices_page
    page.goto("/upload/")
    upload(page, sample("large.bin", noise(101 * KiB)), sample("small.png", png()))
    page.get_by_role("button", name="Remove large.bin").click()
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_role("heading", name="small")).to_be_visible()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete invoice").click()
    expect(page.get_by_role("heading", name="No invoices yet")).to_be_visible()


@with_and_without_javascript
def test_a_replacement_that_is_too_large_keeps_the_old_file(
    javascript, alices_page, alice, invoice_of, sample, snapshot
):
    page = alices_page
    invoice = invoice_of(alice, b"old")
    before = snapshot()
    page.goto(f"/{invoice.pk}/replace/")
    page.get_by_label("New file").set_input_files(sample("large.bin", noise(101 * KiB)))
    page.get_by_role("button", name="Replace file").click()
    expect(page.get_by_text(TOO_LARGE).first).to_be_visible()
    assert snapshot() == before
    invoice.delete()
