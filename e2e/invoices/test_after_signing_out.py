"""Who uses the browser after somebody has signed out finds none of their documents in it."""

import pytest
from playwright.sync_api import expect

from .files import noise, pdf, png

SECRET = b"a secret that is found in no file of the browser"


@pytest.fixture
def page(ordinary_browser, alice, sign_in):
    sign_in(ordinary_browser, alice)
    return ordinary_browser.new_page()


def test_going_back_shows_no_invoice(page, alice, invoice_of):
    invoice = invoice_of(alice, pdf(), "rent.pdf", title="Rent")
    page.goto(invoice.get_absolute_url())
    expect(page.get_by_role("heading", name="Rent")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.go_back(wait_until="commit")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_role("heading", name="Rent")).to_have_count(0)


def test_no_document_is_kept_on_disk(page, ordinary_browser, profile, alice, invoice_of):
    """Not even of who has not signed out: the browser was closed."""
    text = invoice_of(alice, SECRET, "rent.txt")
    page.goto(text.get_absolute_url())
    expect(page.get_by_text(SECRET.decode())).to_be_visible()
    scan = invoice_of(alice, png() + SECRET + noise(100_000), "rent.png")
    page.goto(scan.get_absolute_url())
    shown = "() => document.images[0].naturalWidth > 0"
    page.wait_for_function(shown)
    page.goto(scan.data.url)
    page.wait_for_function(shown)
    ordinary_browser.close()

    files = [path for path in profile.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert [path for path in files if SECRET in path.read_bytes()] == []
