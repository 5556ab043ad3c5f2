"""A replacement leaves one file, a deletion leaves none, whichever way it happens."""

import pytest
from django.db import connection
from django.db.models.signals import post_delete, post_save
from playwright.sync_api import expect

from invoices.models import Invoice

from .files import MiB, noise, pdf, sha256
from .steps import download, foot, look_at_new, said


@pytest.fixture
def invoice(alice, invoice_of):
    return invoice_of(alice, b"the old file", "old.txt", title="Rent")


def test_a_replacement_leaves_the_new_file_alone(alices_page, invoice, sample, large_objects):
    page = alices_page
    old = large_objects()
    content = noise(2 * MiB)
    page.goto(invoice.get_absolute_url())
    page.get_by_role("link", name="Replace file").click()
    look_at_new(page, sample("new.bin", content))
    page.get_by_role("button", name="Replace file").click()

    expect(page.get_by_role("status").first).to_have_text("The file was replaced.")
    expect(page.get_by_text(sha256(content), exact=True)).to_be_visible()
    assert download(page, page.get_by_role("link", name="Download")) == ("new.bin", content)
    expect(foot(page)).to_have_text(["1", "1", "0"])
    assert len(large_objects()) == 1
    assert not large_objects() & old
    page.goto(invoice.data.url)  # the old address
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()


def test_one_that_is_too_large_leaves_the_new_file_where_it_is(
    alices_page, invoice, sample, settings
):
    page = alices_page
    settings.LO_STORAGE_UPLOADS = {**settings.LO_STORAGE_UPLOADS, "MAX_SIZE": 1024}
    page.goto(f"/{invoice.pk}/replace/")
    look_at_new(page, new := sample("new.pdf", pdf()))
    large = sample("large.bin", noise(2048))
    page.get_by_label("New file", exact=True).set_input_files(large)
    expect(page.get_by_text("One file may have up to 1.0 KB.").first).to_be_visible()
    page.get_by_role("button", name="Remove large.bin").click()
    expect(page.get_by_role("heading", name=f"The new file: {new.name}")).to_be_visible()
    page.get_by_role("button", name="Replace file").click()
    expect(page.get_by_role("status").first).to_have_text("The file was replaced.")


def test_a_deletion_leaves_nothing(alices_page, invoice, snapshot):
    page = alices_page
    page.goto(invoice.get_absolute_url())
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete invoice").click()
    expect(page.get_by_role("status").first).to_have_text(
        "Invoice 2026-0001 and its file were deleted."
    )
    expect(page.get_by_role("heading", name="No invoices yet")).to_be_visible()
    expect(foot(page)).to_have_text(["0", "0", "0"])
    assert snapshot() == ({}, set(), set())


def test_new_details_keep_the_file(alices_page, invoice, snapshot):
    page = alices_page
    before = snapshot()
    page.goto(invoice.get_absolute_url())
    page.get_by_role("link", name="Edit details").click()
    page.get_by_label("Title").fill("Rent, corrected")
    page.get_by_label("Amount in EUR").fill("1.234,50")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("status").first).to_have_text("The changes were saved.")
    expect(page.get_by_role("heading", name="Rent, corrected")).to_be_visible()
    expect(page.get_by_text("€1,234.50")).to_be_visible()
    assert download(page, page.get_by_role("link", name="Download")) == ("old.txt", b"the old file")
    assert snapshot().objects == before.objects


def fails(sender, **kwargs):
    raise RuntimeError("a receiver of another application fails")


@pytest.fixture
def failing_receivers():
    """As another application has them, after those of the invoices."""
    signals = post_save, post_delete
    for signal in signals:
        signal.connect(fails, sender=Invoice)
    yield
    for signal in signals:
        signal.disconnect(fails, sender=Invoice)


def test_a_replacement_that_fails_keeps_the_old_file(
    alices_page, invoice, failing_receivers, sample, snapshot
):
    page = alices_page
    before = snapshot()
    page.goto(f"/{invoice.pk}/replace/")
    look_at_new(page, sample("new.pdf", pdf()))
    page.get_by_role("button", name="Replace file").click()
    expect(said(page, "Something went wrong here")).to_be_visible()
    assert snapshot() == before
    page.goto(invoice.get_absolute_url())
    assert download(page, page.get_by_role("link", name="Download")) == ("old.txt", b"the old file")


def test_a_deletion_that_fails_keeps_the_file(alices_page, invoice, failing_receivers, snapshot):
    page = alices_page
    before = snapshot()
    page.goto(f"/{invoice.pk}/delete/")
    page.get_by_role("button", name="Delete invoice").click()
    expect(page.get_by_role("heading", name="Something went wrong here")).to_be_visible()
    assert snapshot() == before
    page.goto(invoice.get_absolute_url())
    assert download(page, page.get_by_role("link", name="Download")) == ("old.txt", b"the old file")


def test_a_bulk_update_behind_the_page_leaves_nothing(alices_page, invoice, snapshot):
    page = alices_page
    page.goto(invoice.get_absolute_url())
    expect(foot(page)).to_have_text(["1", "1", "0"])
    Invoice.objects.update(data=None)
    page.reload()
    expect(page.get_by_text("This invoice has no file yet.")).to_be_visible()
    expect(foot(page)).to_have_text(["0", "0", "0"])
    assert snapshot()[:2] == ({}, set())


def test_a_file_can_be_added_where_there_was_none(
    alices_page, alice, invoice_of, sample, large_objects
):
    page = alices_page
    invoice = invoice_of(alice)
    Invoice.objects.update(data=None)
    page.goto(invoice.get_absolute_url())
    page.get_by_role("link", name="Add a file").click()
    page.get_by_label("New file").set_input_files(sample("new.pdf", pdf()))
    page.get_by_role("button", name="Add file").click()
    assert download(page, page.get_by_role("link", name="Download")) == ("new.pdf", pdf())
    assert len(large_objects()) == 1


def test_raw_sql_behind_the_page_leaves_nothing(alices_page, invoice, snapshot):
    page = alices_page
    page.goto(invoice.get_absolute_url())
    with connection.cursor() as cursor:
        cursor.execute("delete from invoices_invoice")
    page.get_by_role("link", name="Download").click()
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    page.goto("/")
    expect(foot(page)).to_have_text(["0", "0", "0"])
    assert snapshot() == ({}, set(), set())


def test_an_invoice_that_was_deleted_in_another_window_is_no_more(alices_page, invoice, snapshot):
    page = alices_page
    page.goto(f"/{invoice.pk}/delete/")
    Invoice.objects.all().delete()
    page.get_by_role("button", name="Delete invoice").click()
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    assert snapshot() == ({}, set(), set())
