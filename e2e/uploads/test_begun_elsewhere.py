"""What a user has staged is found wherever the user looks, and by nobody else."""

import pytest
from playwright.sync_api import expect

from lo_storage.uploads.models import Upload

from .conftest import digests, saved
from .steps import Line, choose, row, rows, save


@pytest.fixture
def elsewhere(browser, base_url, sign_in):
    """A page in another browser, perhaps on another device."""
    contexts = []

    def elsewhere(user, address="/many/"):
        context = browser.new_context(base_url=base_url)
        contexts.append(context)
        sign_in(context, user)
        page = context.new_page()
        page.goto(address)
        return page

    yield elsewhere
    for context in contexts:
        context.close()


def before(page):
    return page.get_by_role("list", name="Interrupted before")


@pytest.fixture
def begun(many, large, file):
    """One came whole, and one in part."""
    Line(many).choose(large, file())
    expect(row(many, "scan.pdf")).to_contain_text("Has come")


def test_what_came_whole_is_taken_in_another_browser(begun, elsewhere, alice, file):
    page = elsewhere(alice)
    before(page).get_by_role("button", name="Take it: scan.pdf").click()
    expect(rows(page)).to_contain_text("Has come")
    expect(before(page)).to_contain_text("large.bin (640.0 KB). Has not come whole.")
    with page.expect_response(lambda response: response.request.method == "DELETE"):
        before(page).get_by_role("button", name="Remove large.bin").click()
    expect(before(page)).to_have_count(0)
    save(page)
    expect(page.get_by_role("heading", name="Saved 1")).to_be_visible()
    assert saved() == digests(file())


def test_nobody_else_is_told(begun, elsewhere, bob):
    page = elsewhere(bob)
    own = {"name": "own.pdf", "mimeType": "application/pdf", "buffer": b"own"}
    page.get_by_label("Files", exact=True).set_input_files(own)
    expect(row(page, "own.pdf")).to_contain_text("Has come")
    expect(before(page)).to_have_count(0)


def test_without_room_there_is_something_to_remove_on_another_page(many, file, settings):
    settings.LO_STORAGE_UPLOADS = {"QUOTA_NUMBER": 1}
    choose(many, file())
    expect(rows(many)).to_contain_text("Has come")
    many.goto("/one/")
    other = file("other.pdf", b"other")
    choose(many, other, label="File")
    expect(rows(many)).to_contain_text("Save or remove some first.")
    with many.expect_response(lambda response: response.request.method == "DELETE"):
        before(many).get_by_role("button", name="Remove scan.pdf").click()
    many.get_by_role("button", name="Try again other.pdf").click()
    expect(rows(many)).to_contain_text("Has come")
    assert Upload.objects.get().original_name == "other.pdf"


def test_what_was_begun_in_this_browser_goes_on_only_at_its_page(many, large):
    Line(many).choose(large)
    many.goto("/one/")
    expect(before(many)).to_contain_text("It goes on only where it was begun")
    many.goto("/many/")
    expect(before(many)).to_contain_text("Stopped at 40 %. Choose the file again")
