"""Somebody signs in and out again, and a stranger is asked who they are."""

from django.urls import reverse
from django.utils.translation import gettext as _
from playwright.sync_api import expect

from .signing_in import WRONG, fill_in


def test_somebody_signs_in_and_out_again(page, alice):
    page.goto("/accounts/login/")
    expect(page.get_by_role("complementary", name="Demo")).to_be_visible()
    fill_in(page, "a wrong one")
    expect(page.get_by_role("alert")).to_contain_text(WRONG)
    fill_in(page, "a long one")
    expect(page).to_have_url(reverse("home"))
    expect(page.get_by_role("banner").get_by_text("alice")).to_be_visible()

    # Who is signed in is not asked again.
    page.goto("/accounts/login/")
    expect(page).to_have_url(reverse("home"))
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_text("alice", exact=True)).to_have_count(1)  # in the demo's hint


def test_a_stranger_is_asked_to_sign_in_to_the_admin(page):
    for address in ["/admin/", "/admin/lo_storage/largeobject/"]:
        page.goto(address)
        expect(page).to_have_url(f"/admin/login/?next={address}")


def test_who_may_not_enter_the_admin_is_told_so(alices_page):
    alices_page.goto("/admin/")
    sentence = _(
        "You are authenticated as %(username)s, but are not authorized to access this page."
        " Would you like to login to a different account?"
    )
    expect(alices_page.get_by_text(sentence % {"username": "alice"})).to_be_visible()


def test_the_admin_lists_the_files(admins_page):
    page = admins_page
    page.goto("/")
    page.get_by_role("navigation").get_by_role("link", name="Admin").click()
    page.get_by_role("link", name="Large objects").click()
    expect(page.get_by_role("heading", name="large object", level=1)).to_be_visible()
    expect(page).to_have_url(reverse("admin:lo_storage_largeobject_changelist"))
