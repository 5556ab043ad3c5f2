"""Who signs in sees what is theirs, and a stranger sees nothing."""

import pytest
from playwright.sync_api import expect

from ..signing_in import WRONG, fill_in
from .steps import download

PAGES = [
    "/",
    "/upload/",
    "/{pk}/",
    "/{pk}/edit/",
    "/{pk}/replace/",
    "/{pk}/delete/",
    "/file/{name}",
]


@pytest.mark.parametrize("address", PAGES)
def test_a_stranger_is_asked_to_sign_in(address, page, alice, invoice_of):
    invoice = invoice_of(alice, b"secret", title="Secret")
    address = address.format(pk=invoice.pk, name=invoice.data.name)
    page.goto(address)
    expect(page).to_have_url(f"/accounts/login/?next={address}")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_text("Secret")).to_have_count(0)
    expect(page.get_by_role("region", name="Rows and files")).to_have_count(0)


def test_a_stranger_is_asked_to_sign_in_to_the_admin(page, alice, invoice_of):
    invoice = invoice_of(alice)
    for address in [
        "/admin/invoices/invoice/",
        f"/admin/invoices/invoice/{invoice.pk}/download/",
        "/admin/lo_storage/largeobject/",
    ]:
        page.goto(address)
        expect(page).to_have_url(f"/admin/login/?next={address}")


def test_who_signs_in_arrives_where_they_wanted_to_go(page, alice, invoice_of):
    invoice = invoice_of(alice, b"my own", "rent.txt", title="Rent")
    page.goto(invoice.get_absolute_url())
    fill_in(page, "a wrong one")
    expect(page.get_by_role("alert")).to_contain_text(WRONG)
    fill_in(page, "a long one")
    expect(page.get_by_role("heading", name="Rent")).to_be_visible()
    assert download(page, page.get_by_role("link", name="Download")) == ("rent.txt", b"my own")


def test_who_signs_out_is_a_stranger_again(alices_page, alice, invoice_of):
    page = alices_page
    invoice = invoice_of(alice, title="Rent")
    page.goto(invoice.get_absolute_url())
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto(invoice.data.url)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
