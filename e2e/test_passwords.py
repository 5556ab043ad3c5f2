"""Somebody changes a password, or has forgotten it, or somebody else guesses."""

import re

import pytest
from django.core import mail
from django.utils.translation import gettext as _
from playwright.sync_api import expect

from .axe import expect_accessible
from .signing_in import fill_in

PHONE = {"width": 360, "height": 740}


def choose(page, password, again=None):
    page.get_by_label(_("New password"), exact=True).fill(password)
    page.get_by_label(_("New password confirmation")).fill(again or password)
    page.get_by_role("button", name="Change password").click()


def test_a_password_is_changed(alices_page, browser, base_url, alice, sign_in):
    page = alices_page
    elsewhere = browser.new_context(base_url=base_url)
    sign_in(elsewhere, alice)
    page.goto("/")
    page.get_by_role("banner").get_by_role("link", name="Password").click()
    expect(page.get_by_role("heading", name="Change your password")).to_be_visible()
    expect_accessible(page)
    page.get_by_label(_("Old password")).fill("a wrong one")
    choose(page, "a-new-long-one")
    expect(page.get_by_role("alert")).to_be_focused()
    error = _("Your old password was entered incorrectly. Please enter it again.")
    expect(page.get_by_text(error)).to_be_visible()
    expect_accessible(page)
    page.get_by_label(_("Old password")).fill("a long one")
    choose(page, "a-new-long-one")
    expect(page.get_by_role("status")).to_have_text("Your password was changed.")
    expect(page.get_by_role("banner").get_by_text("alice")).to_be_visible()

    # Where else somebody was signed in as her, they are no longer.
    other = elsewhere.new_page()
    other.goto("/accounts/password/")
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
    elsewhere.close()
    page.get_by_role("button", name="Sign out").click()
    fill_in(page, "a-new-long-one")
    expect(page.get_by_role("banner").get_by_text("alice")).to_be_visible()


@pytest.mark.browser_context_args(java_script_enabled=False, viewport=PHONE)
def test_a_password_that_was_forgotten(page, alice, base_url):
    alice.email = "alice@example.com"
    alice.save()
    page.goto("/accounts/login/")
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label(_("Email")).fill("alice@example.com")
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()

    (link,) = re.findall(rf"^{base_url}\S+$", mail.outbox[0].body, re.M)
    page.goto(link)
    expect(page.get_by_role("heading", name="Choose a new password")).to_be_visible()
    # The key is no longer in the address.
    expect(page).to_have_url(re.compile("/set-password/$"))
    choose(page, "short", "shorter")
    expect(page.get_by_text(_("The two password fields didn’t match."))).to_be_visible()
    choose(page, "a-new-long-one")
    expect(page.get_by_role("status")).to_have_text("Your password was changed. Sign in with it.")
    fill_in(page, "a-new-long-one")
    expect(page.get_by_role("banner").get_by_text("alice")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()

    # The link opens nothing a second time.
    page.goto(link)
    expect(page.get_by_role("heading", name="This link has ended")).to_be_visible()
    page.get_by_role("link", name="Send another link").click()
    expect(page.get_by_role("heading", name="A new password")).to_be_visible()


@pytest.mark.parametrize("address", ["/accounts/login/", "/admin/login/"])
def test_who_guesses_is_told_to_wait(address, page, admin):
    page.goto(address)
    for _attempt in range(5):
        fill_in(page, "a wrong one", name="root")
        page.wait_for_load_state()
    expect(page.get_by_role("heading", name="Too many attempts")).to_be_visible()
    expect_accessible(page)
    page.get_by_role("link", name="Back to the sign-in page").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_each_page_about_passwords_is_accessible(page, alice):
    for address in ["/accounts/reset/", "/accounts/reset/sent/", "/accounts/reset/Mg/none/"]:
        page.goto(address)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect_accessible(page)
