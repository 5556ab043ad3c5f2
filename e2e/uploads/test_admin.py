"""Django's admin has the same field, with its own look."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from e2e.axe import OPTIONS

from .conftest import digests, saved
from .steps import PIECE, Line, button


def test_a_form_of_the_admin_sends_its_file_first_and_keeps_it(admins_page, large, requests):
    admins_page.goto("/documents/lo_storage_tests/document/add/")
    line = Line(admins_page)
    line.choose(large, into="[name=data]")
    ours = Axe().run(admins_page, context=".uploads", options=OPTIONS)
    assert not ours.violations_count, ours.generate_report()
    admins_page.get_by_role("button", name="Save and add another").click()
    expect(admins_page.get_by_text("Saving when all has come.")).to_be_visible()
    line.open()
    expect(admins_page.get_by_text("This field is required.")).to_be_visible()
    expect(button(admins_page, "Remove", "large.bin")).to_be_visible()
    # By name: the admin of each version of Django labels a field its own way.
    admins_page.locator("[name=title]").fill("March")
    admins_page.get_by_role("button", name="Save and add another").click()
    expect(admins_page.get_by_text("was added successfully")).to_be_visible()
    assert admins_page.url.endswith("/add/")
    assert saved() == digests(large)
    assert [offset for method, offset, _ in requests if method == "PATCH"] == [0, PIECE, 2 * PIECE]
