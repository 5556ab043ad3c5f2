"""axe-core finds nothing on the pages that every site has."""

import pytest
from playwright.sync_api import expect

from .axe import expect_accessible
from .signing_in import fill_in


def test_sign_in(page):
    page.goto("/accounts/login/")
    expect_accessible(page)
    fill_in(page, "a wrong one")
    expect(page.get_by_role("alert")).to_be_visible()
    expect_accessible(page)


@pytest.mark.parametrize("who", ["page", "alices_page", "admins_page"])
def test_the_page_that_a_site_begins_with(who, request, settings):
    settings.ROOT_URLCONF = "e2e.error_urls"
    page = request.getfixturevalue(who)
    page.goto("/home/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect_accessible(page)


def test_what_is_not_there(alices_page):
    alices_page.goto("/nothing/")
    expect(alices_page.get_by_role("heading", name="There is no such page")).to_be_visible()
    expect_accessible(alices_page)


@pytest.mark.parametrize(
    ("address", "heading"),
    [
        ("400", "This request could not be read"),
        ("signed-out", "You were signed out meanwhile"),
        ("403", "This page is not for you"),
        ("csrf", "This form is too old"),
        ("413", "That was too much at once"),
        ("500", "Something went wrong here"),
        ("503", "The database does not answer"),
        ("507", "There is no room for files now"),
    ],
)
def test_errors(address, heading, alices_page, settings):
    settings.ROOT_URLCONF = "e2e.error_urls"
    alices_page.goto(f"/{address}/")
    expect(alices_page.get_by_role("heading", name=heading)).to_be_visible()
    expect_accessible(alices_page)
