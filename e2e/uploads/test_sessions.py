"""Whoever is signed out in the middle of an upload, or somebody else by then, loses nothing."""

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import expect

from e2e.signing_in import fill_in
from lo_storage.uploads.models import Upload

from .conftest import digests, saved
from .steps import PIECE, Line, choose, rows, save


def come_back(page):
    """As a browser tells a page that is looked at again; without a screen none is looked at."""
    page.evaluate("dispatchEvent(new Event('focus'))")


@pytest.fixture
def signed_out(many, large):
    line = Line(many)
    line.choose(large)
    Session.objects.all().delete()
    line.open()
    expect(rows(many)).to_contain_text("You are signed out. Sign in in another tab")
    return many


def sign_in_beside(page, name, password):
    with page.expect_popup() as popup:
        page.get_by_role("link", name="Sign in").click()
    fill_in(popup.value, password, name)
    expect(popup.value.get_by_role("heading", name="Documents")).to_be_visible()
    popup.value.close()


def test_signing_in_in_another_tab_lets_it_go_on(signed_out, large, requests):
    save(signed_out)  # It waits for that, too.
    sign_in_beside(signed_out, "alice", "a long one")
    come_back(signed_out)
    expect(signed_out.get_by_role("heading", name="Saved 1")).to_be_visible()
    assert saved() == digests(large)
    assert not [offset for method, offset, _ in requests if method == "PATCH" and not offset]


def test_somebody_else_goes_on_with_nothing_of_it(signed_out, large, bob, requests):
    sign_in_beside(signed_out, "bob", "another one")
    come_back(signed_out)
    expect(rows(signed_out)).to_contain_text("Somebody else is signed in now.")
    other = signed_out.context.new_page()
    other.goto("/many/")
    expect(other.get_by_role("list", name="Interrupted before")).not_to_be_visible()
    choose(other, large)
    expect(rows(other)).to_contain_text("Has come")
    save(other)
    expect(other.get_by_role("heading", name="Saved 1")).to_be_visible()
    assert (Upload.objects.get().owner.username, Upload.objects.get().received) == ("alice", PIECE)
    Upload.objects.all().delete()


def test_somebody_else_who_is_met_in_the_middle_gets_nothing(many, large, bob, sign_in):
    line = Line(many)
    line.choose(large)
    sign_in(many.context, bob)
    line.open()
    expect(rows(many)).to_contain_text("Somebody else is signed in now.")
    assert Upload.objects.get().received == PIECE
    Upload.objects.all().delete()
