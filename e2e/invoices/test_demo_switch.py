"""What a visitor comes to see: a transaction that fails, and leaves nothing and loses nothing."""

import re

import pytest
from playwright.sync_api import expect

from .files import MiB, noise, pdf, png
from .steps import download, foot, look_at_new, upload

failing = pytest.mark.parametrize(
    "failure", ["Raise an exception at the end of the work", "Let the database refuse at COMMIT"]
)

TAKEN = ["waits", "the file of a row", "waits again"]


@pytest.fixture
def invoice(alice, invoice_of):
    return invoice_of(alice, b"the old file", "old.txt", title="Rent")


def story(page, headline):
    """The rows of the table that tells what happened, below its heads."""
    region = page.get_by_role("region", name=headline, exact=True)
    expect(region).to_be_focused()
    expect(region.get_by_role("columnheader")).to_have_text(
        ["Before", "Inside the transaction", "After"]
    )
    return region.get_by_role("row").filter(has=page.get_by_role("rowheader"))


def expect_row(row, head, *cells):
    expect(row.get_by_role("rowheader")).to_contain_text(head)
    expect(row.get_by_role("cell")).to_have_text(list(cells))


@failing
def test_an_upload_that_fails_on_purpose_leaves_nothing(
    failure, alices_page, invoice, sample, snapshot
):
    page = alices_page
    before = snapshot()
    page.goto("/upload/")
    expect(page.get_by_label("No, let it succeed")).to_be_checked()
    page.get_by_label(failure).check()
    upload(page, sample("first.png", png()), sample("second.bin", noise(3 * MiB)))

    rows = story(page, "Nothing was left behind.")
    expect(page).to_have_title(re.compile("^Rolled back: "))
    expect(rows).to_have_count(6)
    expect_row(rows.nth(0), "Invoices with a file", "1", "3", "1")
    expect_row(rows.nth(1), "Large objects in the database", "1", "3", "1")
    expect_row(rows.nth(2), "Large objects that no row names", "0", "0", "0")
    expect_row(rows.nth(3), "Uploads that wait for a row", "2", "0", "2")
    # In the order of their numbers, which they got as they began.
    expect_row(rows.filter(has_text="first.png"), "first.png", *TAKEN)
    expect_row(rows.filter(has_text="second.bin"), re.compile("second.bin, 3[.,]0"), *TAKEN)
    expect(foot(page)).to_have_text(["1", "1", "0", "2"])
    assert snapshot() == before

    # The same files, that the form still has, and this time it may succeed.
    page.get_by_label("No, let it succeed").check()
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_role("status").first).to_have_text("2 invoices were uploaded.")
    expect(foot(page)).to_have_text(["3", "3", "0"])


@failing
def test_a_replacement_that_fails_on_purpose_keeps_the_old_file(
    failure, alices_page, invoice, sample, snapshot
):
    page = alices_page
    before = snapshot()
    page.goto(f"/{invoice.pk}/replace/")
    look_at_new(page, sample("new.pdf", pdf()))
    page.get_by_label(failure).check()
    page.get_by_role("button", name="Replace file").click()

    rows = story(page, "Nothing was lost, and nothing was left behind.")
    expect_row(rows.nth(0), "Invoices with a file", "1", "1", "1")
    expect_row(rows.nth(1), "Large objects in the database", "1", "1", "1")
    expect_row(rows.filter(has_text="old.txt"), "old.txt, 12", "there", "deleted", "still there")
    expect_row(rows.filter(has_text="new.pdf"), "new.pdf", *TAKEN)
    expect(foot(page)).to_have_text(["1", "1", "0", "1"])
    assert snapshot() == before
    page.get_by_role("link", name="Cancel").click()
    assert download(page, page.get_by_role("link", name="Download")) == ("old.txt", b"the old file")


@failing
def test_a_deletion_that_fails_on_purpose_keeps_the_file(failure, alices_page, invoice, snapshot):
    page = alices_page
    before = snapshot()
    page.goto(f"/{invoice.pk}/delete/")
    page.get_by_label(failure).check()
    page.get_by_role("button", name="Delete invoice").click()

    rows = story(page, "Nothing was lost.")
    expect_row(rows.nth(0), "Invoices with a file", "1", "0", "1")
    expect_row(rows.nth(1), "Large objects in the database", "1", "0", "1")
    expect_row(rows.nth(4), "old.txt, 12", "there", "deleted", "still there")
    expect(foot(page)).to_have_text(["1", "1", "0"])
    assert snapshot() == before
    page.get_by_role("link", name="Keep it").click()
    assert download(page, page.get_by_role("link", name="Download")) == ("old.txt", b"the old file")


def test_outside_of_the_demo_there_is_no_switch(alices_page, invoice, settings):
    page = alices_page
    settings.DEMO = False
    for address in ["/upload/", f"/{invoice.pk}/replace/", f"/{invoice.pk}/delete/"]:
        page.goto(address)
        expect(page.get_by_role("radio")).to_have_count(0)
