"""axe-core finds nothing on any page of the sample."""

import pytest
from playwright.sync_api import expect

from invoices.models import Invoice

from ..axe import expect_accessible
from .files import noise, pdf, png
from .steps import choose, invoice_of_file, look_at_new, said, upload


@pytest.fixture
def invoice(alice, invoice_of):
    return invoice_of(alice, pdf(), "March rent.pdf", title="Rent", amount="1276.50")


def test_no_invoices(alices_page):
    alices_page.goto("/")
    expect(alices_page.get_by_role("heading", name="No invoices yet")).to_be_visible()
    expect_accessible(alices_page)


def test_a_list(alices_page, alice, invoice_of):
    page = alices_page
    for n in range(22):
        invoice_of(alice, name=f"{n} {'long ' * 40}.txt", title=f"Long {'title' * 30}", amount=n)
    Invoice.objects.filter(number="2026-0020").update(data=None)
    page.goto("/")
    expect(page.get_by_role("navigation", name="Pages")).to_be_visible()
    expect_accessible(page)
    page.goto("/?q=nothing")
    expect_accessible(page)


def test_an_upload(alices_page, sample):
    page = alices_page
    page.goto("/upload/")
    expect_accessible(page)
    page.get_by_label("Files", exact=True).set_input_files(
        [sample("n" * 200, png()), sample("empty.txt", b"")]
    )
    expect(page.get_by_role("list", name="Files to save")).to_be_visible()
    expect_accessible(page)


def test_an_upload_with_errors(alices_page, sample):
    page = alices_page
    page.goto("/upload/")
    page.get_by_label("Amount in EUR").fill("-1")
    page.get_by_label("Date of issue").fill("")
    upload(page, sample("rent.pdf", pdf()))
    expect(page.get_by_role("alert")).to_be_visible()
    expect_accessible(page)


def test_a_batch_with_a_mistake_and_a_file_that_is_there(alices_page, alice, invoice_of, sample):
    page = alices_page
    invoice_of(alice, pdf(), "rent.pdf")
    page.goto("/upload/")
    choose(page, sample("again.pdf", pdf()), sample("scan.png", png()), sample("a.txt", b"text"))
    expect(page.get_by_text("You have this file already")).to_be_visible()
    expect_accessible(page)
    invoice_of_file(page, "scan.png").get_by_label("Amount in EUR").fill("a lot")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_text("Preview of scan.png").click()
    expect(page.get_by_role("img", name="scan.png")).to_be_visible()
    expect_accessible(page)


def test_an_upload_by_someone_who_was_signed_out(alices_page, sample):
    page = alices_page
    page.goto("/upload/")
    choose(page, sample("rent.pdf", pdf()))
    page.context.clear_cookies()
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_role("link", name="Sign in in another tab")).to_be_in_viewport()
    expect_accessible(page)


def test_an_upload_that_was_rolled_back(alices_page, invoice, sample):
    page = alices_page
    page.goto("/upload/")
    page.get_by_label("Let the database refuse at COMMIT").check()
    upload(page, sample("n" * 200, png()), sample("second.bin", noise(2**20)))
    expect(page.get_by_role("region", name="Nothing was left behind.")).to_be_visible()
    expect_accessible(page)


@pytest.mark.parametrize(
    ("name", "content"),
    [("rent.pdf", pdf()), ("scan.png", png(400, 300)), ("notes.txt", b"notes"), ("a.zip", b"zip")],
)
def test_an_invoice(name, content, alices_page, alice, invoice_of):
    alices_page.goto(invoice_of(alice, content, name).get_absolute_url())
    expect(alices_page.get_by_role("heading", name="Preview")).to_be_visible()
    expect_accessible(alices_page)


def test_a_link_for_someone_without_an_account(alices_page, alice, invoice_of):
    page = alices_page
    page.goto(invoice_of(alice).get_absolute_url())
    page.get_by_text("Link for someone without an account").click()
    page.get_by_role("button", name="7 days").click()
    expect(page.get_by_label("The link")).to_be_visible()
    expect_accessible(page)


def test_an_invoice_without_a_file(alices_page, invoice):
    Invoice.objects.update(data=None)
    alices_page.goto(invoice.get_absolute_url())
    expect_accessible(alices_page)
    alices_page.get_by_role("link", name="Add a file").click()
    expect_accessible(alices_page)


def test_editing(alices_page, invoice):
    page = alices_page
    page.goto(f"/{invoice.pk}/edit/")
    expect_accessible(page)
    page.get_by_label("Title").fill("")
    page.get_by_label("Amount in EUR").fill("a lot")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect_accessible(page)
    page.get_by_label("Title").fill("Rent")
    page.get_by_label("Amount in EUR").fill("1")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("status").first).to_be_visible()
    expect_accessible(page)


def test_replacing(alices_page, invoice, sample):
    page = alices_page
    page.goto(f"/{invoice.pk}/replace/")
    expect_accessible(page)
    look_at_new(page, sample("new.pdf", pdf()))
    expect_accessible(page)
    page.get_by_label("Raise an exception").check()
    page.get_by_role("button", name="Replace file").click()
    expect(page.get_by_role("region", name="Nothing was lost")).to_be_visible()
    expect_accessible(page)


def test_deleting(alices_page, invoice):
    page = alices_page
    page.goto(f"/{invoice.pk}/delete/")
    expect_accessible(page)
    page.get_by_label("Raise an exception").check()
    page.get_by_role("button", name="Delete invoice").click()
    expect(page.get_by_role("region", name="Nothing was lost")).to_be_visible()
    expect_accessible(page)


def test_too_many_fields_for_django(alices_page, sample, settings):
    page = alices_page
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 3
    page.goto("/upload/")
    upload(page, sample("a.png", png()), sample("b.png", png()))
    expect(said(page, "That was too much at once")).to_be_visible()
    expect_accessible(page)


@pytest.mark.browser_context_args(java_script_enabled=False)
def test_nothing_is_wider_than_a_phone_without_javascript(alices_page, invoice, sample):
    page = alices_page
    page.set_viewport_size({"width": 360, "height": 800})
    for address in ["/", "/upload/", f"/{invoice.pk}/", f"/{invoice.pk}/replace/"]:
        page.goto(address)
        main = page.get_by_role("main").bounding_box()
        assert main["x"] >= 0
        assert main["x"] + main["width"] <= 360
