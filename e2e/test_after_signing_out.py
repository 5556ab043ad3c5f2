"""Who uses the browser after somebody has signed out finds none of their pages in it."""

import pytest
from django.contrib.sessions.models import Session
from django.utils.translation import gettext as _
from playwright.sync_api import expect


@pytest.fixture
def page(ordinary_browser):
    return ordinary_browser.new_page()


def test_going_back_from_a_page_that_may_be_kept_brings_it_as_it_was(page, settings):
    """Without this the tests below would prove nothing."""
    settings.ROOT_URLCONF = "e2e.error_urls"
    page.goto("/kept/")
    page.evaluate("window.typed = 'here'")
    page.goto("/kept/?other")
    page.go_back(wait_until="commit")
    assert page.evaluate("window.typed") == "here"


@pytest.mark.parametrize("address", ["/", "/admin/"])
def test_going_back_shows_no_page_of_who_has_signed_out(address, page, admin, sign_in):
    sign_in(page.context, admin)
    page.goto(address)
    welcome = page.get_by_role("banner").get_by_text("root")
    expect(welcome).to_be_visible()
    button = _("Log out") if address == "/admin/" else "Sign out"
    with page.expect_response(lambda answer: answer.request.method == "POST") as signed_out:
        page.get_by_role("button", name=button).click()
    expect(page.get_by_role("button", name=button)).to_have_count(0)
    page.go_back(wait_until="commit")
    expect(page.get_by_role("banner")).to_be_visible()
    expect(welcome).to_have_count(0)
    assert signed_out.value.header_value("Clear-Site-Data") == '"cache"'


def test_only_who_was_signed_in_has_something_cleared(page, admin, sign_in):
    assert page.goto("/accounts/login/").header_value("Clear-Site-Data") is None
    sign_in(page.context, admin)
    assert page.goto("/").header_value("Clear-Site-Data") is None
    Session.objects.all().delete()  # it ended by itself
    assert page.goto("/accounts/login/").header_value("Clear-Site-Data") == '"cache"'
