"""Somebody looks in the admin which files there are, and which row names one."""

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.utils.translation import gettext as _
from playwright.sync_api import expect

from lo_storage.models import LargeObject

from ..axe import expect_accessible
from .files import pdf
from .steps import download


@pytest.fixture
def files(alice, bob, invoice_of):
    invoice_of(alice, pdf(), "Rent of March 2026-0012.pdf", title="March")
    invoice_of(bob, b"x" * 70_000, "electricity.csv", title="Power")


def test_a_file_is_found_and_saved_and_leads_to_its_row(admins_page, files):
    page = admins_page
    page.goto("/admin/lo_storage/largeobject/")
    page.locator("#searchbar").fill(
        "march 0012"
    )  # Versions of Django label it in ways of their own.
    page.get_by_role("button", name=_("Search")).click()
    expect(page.get_by_text("electricity.csv")).to_have_count(0)
    page.get_by_role("row").filter(has_text="Rent of March").get_by_role("link").click()
    expect(page.get_by_text("Invoice.data")).to_be_visible()
    expect_accessible(page)
    link = page.get_by_role("link", name="Download", exact=True)
    assert download(page, link) == ("Rent of March 2026-0012.pdf", pdf())
    page.get_by_role("link", name="2026-0001 March").click()
    expect(page.get_by_label("Title")).to_have_value("March")


def test_the_figures_lead_to_the_files(admins_page, files):
    page = admins_page
    page.goto("/admin/lo_storage/largeobject/")
    page.get_by_role("link", name="Statistics").click()
    expect(page.get_by_text("2 files")).to_be_visible()
    expect_accessible(page)
    page.get_by_role("link", name="Look for what nobody names").click()
    expect(page.get_by_text("Of these, objects that were ours")).to_be_visible()
    page.get_by_role("link", name=".csv", exact=True).click()
    expect(page.get_by_text("electricity.csv")).to_be_visible()
    expect(page.get_by_text("Rent of March")).to_have_count(0)


def test_staff_who_see_no_invoice_see_that_there_is_one(page, context, bob, files, sign_in):
    bob.is_staff = True
    bob.save()
    bob.user_permissions.add(
        Permission.objects.get_or_create(
            codename="view_largeobject",
            content_type=ContentType.objects.get_for_model(LargeObject),
        )[0]
    )
    sign_in(context, bob)
    page.goto("/admin/lo_storage/largeobject/")
    page.get_by_role("row").filter(has_text="electricity").get_by_role("link").click()
    expect(page.get_by_text("1 that is not shown to you")).to_be_visible()
    expect(page.get_by_role("link", name=_("Download"), exact=True)).to_have_count(0)
    response = page.goto(page.url.replace("/change/", "/download/"))
    assert response.status == 403
