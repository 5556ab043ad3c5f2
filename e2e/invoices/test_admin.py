"""The admin works for a file, too."""

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from playwright.sync_api import expect

from .files import MiB, noise, pdf, sha256
from .steps import download

LIST = reverse("admin:invoices_invoice_changelist")


def file_field(page):
    # Versions of Django label it in ways of their own.
    return page.locator("input[type=file]")


def test_an_invoice_from_its_first_file_to_its_last(admins_page, bob, sample, large_objects):
    page = admins_page
    content = noise(2 * MiB)
    page.goto("/admin/")
    page.get_by_role("row").filter(has_text="Invoices").get_by_role("link", name=_("Add")).click()
    page.get_by_label("Owner").select_option("bob")
    page.get_by_label("Number").fill("2026-0001")
    page.get_by_label("Title").fill("Rent")
    file_field(page).set_input_files(sample("first ü.bin", content))
    page.get_by_role("button", name=_("Save and continue editing")).click()
    expect(page.get_by_text(sha256(content))).to_be_visible()
    assert download(page, page.get_by_role("link", name="first ü.bin")) == ("first ü.bin", content)
    [first] = large_objects()

    file_field(page).set_input_files(sample("second.pdf", pdf()))
    page.get_by_role("button", name=_("Save"), exact=True).click()
    expect(page).to_have_url(LIST)
    assert download(page, page.get_by_role("link", name="second.pdf")) == ("second.pdf", pdf())
    [second] = large_objects()
    assert second != first

    page.get_by_role("link", name="2026-0001", exact=True).click()
    page.get_by_label(_("Clear")).check()
    page.get_by_role("button", name=_("Save and continue editing")).click()
    expect(page.get_by_label(_("Clear"))).to_have_count(0)
    assert not large_objects()

    file_field(page).set_input_files(sample("third.pdf", pdf("third")))
    page.get_by_role("button", name=_("Save"), exact=True).click()
    expect(page).to_have_url(LIST)
    assert len(large_objects()) == 1
    page.get_by_role("link", name="2026-0001", exact=True).click()
    delete = page.get_by_role("link", name=_("Delete"), exact=True)
    delete.or_(page.get_by_role("button", name=_("Delete"), exact=True)).click()  # from Django 6.1
    page.get_by_role("button", name=_("Yes, I’m sure")).click()
    expect(page).to_have_url(LIST)
    assert not large_objects()


def test_a_form_with_an_error_leaves_nothing(admins_page, bob, sample, snapshot):
    page = admins_page
    page.goto("/admin/invoices/invoice/add/")
    page.get_by_label("Owner").select_option("bob")
    file_field(page).set_input_files(sample("rent.pdf", pdf()))
    page.get_by_role("button", name=_("Save"), exact=True).click()
    errors = ["Please correct the error below.", "Please correct the errors below."]
    expect(page.get_by_text(ngettext(*errors, 2))).to_be_visible()
    assert snapshot() == ({}, set(), set())


def test_many_deleted_at_once_leave_nothing(admins_page, bob, invoice_of, snapshot):
    page = admins_page
    for n in range(3):
        invoice_of(bob, name=f"{n}.txt")
    page.goto("/admin/invoices/invoice/")
    page.get_by_role("checkbox").first.check()  # all of them
    page.get_by_role("combobox").select_option("delete_selected")
    page.get_by_role("button", name=_("Go")).or_(page.get_by_role("button", name=_("Run"))).click()
    page.get_by_role("button", name=_("Yes, I’m sure")).click()
    deleted = _("Successfully deleted %(count)d %(items)s.")
    expect(page.get_by_text(deleted % {"count": 3, "items": "invoices"})).to_be_visible()
    assert snapshot() == ({}, set(), set())
