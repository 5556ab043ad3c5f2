"""The admin works for a file, too."""

from playwright.sync_api import expect

from .files import MiB, noise, pdf, sha256
from .steps import download


def file_field(page):
    # Versions of Django label it in ways of their own.
    return page.locator("input[type=file]")


def test_an_invoice_from_its_first_file_to_its_last(admins_page, bob, sample, large_objects):
    page = admins_page
    content = noise(2 * MiB)
    page.goto("/admin/")
    page.get_by_role("row").filter(has_text="Invoices").get_by_role("link", name="Add").click()
    page.get_by_label("Owner").select_option("bob")
    page.get_by_label("Number").fill("2026-0001")
    page.get_by_label("Title").fill("Rent")
    file_field(page).set_input_files(sample("first ü.bin", content))
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    expect(page.get_by_text(sha256(content))).to_be_visible()
    assert download(page, page.get_by_role("link", name="first ü.bin")) == ("first ü.bin", content)
    [first] = large_objects()

    file_field(page).set_input_files(sample("second.pdf", pdf()))
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    assert download(page, page.get_by_role("link", name="second.pdf")) == ("second.pdf", pdf())
    [second] = large_objects()
    assert second != first

    page.get_by_role("link", name="2026-0001", exact=True).click()
    page.get_by_label("Clear").check()
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    assert not large_objects()

    file_field(page).set_input_files(sample("third.pdf", pdf("third")))
    page.get_by_role("button", name="Save", exact=True).click()
    assert len(large_objects()) == 1
    page.get_by_role("link", name="2026-0001", exact=True).click()
    delete = page.get_by_role("link", name="Delete", exact=True)
    delete.or_(page.get_by_role("button", name="Delete", exact=True)).click()  # from Django 6.1
    page.get_by_role("button", name="Yes, I’m sure").click()
    expect(page.get_by_text("was deleted successfully")).to_be_visible()
    assert not large_objects()


def test_a_form_with_an_error_leaves_nothing(admins_page, bob, sample, snapshot):
    page = admins_page
    page.goto("/admin/invoices/invoice/add/")
    page.get_by_label("Owner").select_option("bob")
    file_field(page).set_input_files(sample("rent.pdf", pdf()))
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Please correct the errors below.")).to_be_visible()
    assert snapshot() == ({}, set(), set())


def test_many_deleted_at_once_leave_nothing(admins_page, bob, invoice_of, snapshot):
    page = admins_page
    for n in range(3):
        invoice_of(bob, name=f"{n}.txt")
    page.goto("/admin/invoices/invoice/")
    page.get_by_role("checkbox", name="Select all").check()
    page.get_by_role("combobox", name="Action").select_option("Delete selected invoices")
    page.get_by_role("button", name="Go").or_(page.get_by_role("button", name="Run")).click()
    page.get_by_role("button", name="Yes, I’m sure").click()
    expect(page.get_by_text("Successfully deleted 3 invoices.")).to_be_visible()
    assert snapshot() == ({}, set(), set())
