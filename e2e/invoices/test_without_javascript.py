"""All of it works in a browser that runs no script."""

import pytest
from django.utils.translation import gettext as _
from playwright.sync_api import expect

from ..signing_in import fill_in
from .files import MiB, noise, pdf, png, sha256
from .steps import download, foot, upload

pytestmark = pytest.mark.browser_context_args(java_script_enabled=False)


def test_a_whole_visit(page, alice, sample, large_objects):
    page.goto("/")
    fill_in(page, "a long one")
    expect(page.get_by_role("heading", name="No invoices yet")).to_be_visible()

    # Two at once.
    page.get_by_role("link", name="Upload invoices").click()
    page.get_by_label("Date of issue").fill("2026-03-02")
    large = noise(2 * MiB)
    upload(page, sample("first.png", png()), sample("second.bin", large))
    expect(page.get_by_role("status").first).to_have_text("2 invoices were uploaded.")
    expect(foot(page)).to_have_text(["2", "2", "0"])
    assert download(page, page.get_by_role("link", name="second.bin")) == ("second.bin", large)

    # Look at one, and correct it.
    page.get_by_role("link", name="second", exact=True).click()
    expect(page.get_by_text(sha256(large), exact=True)).to_be_visible()
    page.get_by_role("link", name="Edit details").click()
    page.get_by_label("Amount in EUR").fill("a lot")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text(_("Enter a number."))).to_be_visible()
    page.get_by_label("Amount in EUR").fill("12.30")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("€12.30")).to_be_visible()

    # Replace its file, first so that it fails.
    page.get_by_role("link", name="Replace file").click()
    page.get_by_label("New file").set_input_files(sample("new.pdf", pdf()))
    page.get_by_role("button", name="Replace file").click()
    expect(page.get_by_text("Nothing was replaced yet.")).to_be_visible()
    expect(page.get_by_role("heading", name="The new file: new.pdf")).to_be_visible()
    page.get_by_label("Let the database refuse at COMMIT").check()
    page.get_by_role("button", name="Replace file").click()
    expect(
        page.get_by_role("region", name="Nothing was lost, and nothing was left behind.")
    ).to_be_visible()
    page.get_by_label("No, let it succeed").check()
    page.get_by_role("button", name="Replace file").click()
    expect(page.get_by_role("status").first).to_have_text("The file was replaced.")
    assert download(page, page.get_by_role("link", name="Download")) == ("new.pdf", pdf())

    # Search, delete both, sign out.
    page.get_by_role("link", name="All invoices").first.click()
    for words, name in [("0002", "second"), ("png", "first")]:
        page.get_by_label("Search number, title or file name").fill(words)
        page.get_by_role("button", name="Search").click()
        page.get_by_role("link", name=name, exact=True).click()
        page.get_by_role("link", name="Delete").click()
        page.get_by_role("button", name="Delete invoice").click()
    expect(page.get_by_role("heading", name="No invoices yet")).to_be_visible()
    assert not large_objects()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_an_upload_that_fails_on_purpose_leaves_nothing(alices_page, sample, snapshot):
    page = alices_page
    page.goto("/upload/")
    page.get_by_label("Raise an exception at the end of the work").check()
    upload(page, sample("first.png", png()), sample("second.png", png(9, 9)))
    expect(page.get_by_role("region", name="Nothing was left behind.")).to_be_visible()
    expect(foot(page)).to_have_text(["0", "0", "0", "2"])
    assert snapshot() == ({}, set(), set())
