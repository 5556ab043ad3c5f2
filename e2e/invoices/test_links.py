"""A link goes to someone who has no account, and ends with the file."""

import pytest
from playwright.sync_api import expect

from tests.serving import gunicorn

from .files import noise, pdf
from .steps import download

PHONE = {"width": 360, "height": 800}


@pytest.fixture
def stranger(browser, base_url):
    """Another browser, in which nobody is signed in."""
    context = browser.new_context(base_url=base_url)
    yield context.new_page()
    context.close()


def make_link(page, invoice, days):
    page.goto(invoice.get_absolute_url())
    page.get_by_text("Link for someone without an account").click()
    page.get_by_role("button", name=days).click()
    return page.get_by_label("The link").input_value()


def test_an_invoice_is_handed_on_until_it_is_deleted(
    alices_page, stranger, alice, invoice_of, large_objects
):
    page, content = alices_page, noise(3_000_000)
    invoice = invoice_of(alice, content, "March rent.bin")
    link = make_link(page, invoice, "7 days")
    expect(page.get_by_text("or sooner when the file is replaced or deleted")).to_be_visible()

    # As from a mail: a click on an address.
    stranger.set_content(f'<a href="{link}">Your invoice</a>')
    assert download(stranger, stranger.get_by_role("link")) == ("March rent.bin", content)
    assert stranger.context.cookies() == []
    stranger.goto(invoice.get_absolute_url())  # It opens the file, and nothing around it.
    expect(stranger.get_by_role("heading", name="Sign in")).to_be_visible()

    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete invoice").click()
    expect(page.get_by_role("heading", name="No invoices yet")).to_be_visible()
    assert not large_objects()
    assert stranger.goto(link).status == 404
    expect(stranger.get_by_role("heading", name="There is no such page")).to_be_visible()


def test_a_link_is_copied(alices_page, context, alice, invoice_of):
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = alices_page
    link = make_link(page, invoice_of(alice), "1 day")
    page.get_by_role("button", name="Copy the link").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == link


@pytest.mark.browser_context_args(java_script_enabled=False, viewport=PHONE)
def test_a_link_is_made_and_selected_without_javascript(alices_page, stranger, alice, invoice_of):
    page = alices_page
    link = make_link(page, invoice_of(alice, pdf(), "rent.pdf"), "30 days")
    expect(page.get_by_role("button", name="Copy the link")).to_have_count(0)
    expect(page.get_by_label("The link")).not_to_be_editable()
    expect(page.get_by_label("The link")).to_be_in_viewport()
    stranger.set_content(f'<a href="{link}">Your invoice</a>')
    assert download(stranger, stranger.get_by_role("link")) == ("rent.pdf", pdf())


def test_no_log_of_the_site_has_a_link(alices_page, stranger, alice, invoice_of, tmp_path):
    invoice = invoice_of(alice, b"content", "rent.txt")
    with gunicorn(tmp_path, "--access-logfile=-", LOG_LEVEL="INFO") as (_, address, log):
        alices_page.goto(address + invoice.get_absolute_url())
        alices_page.get_by_text("Link for someone without an account").click()
        alices_page.get_by_role("button", name="7 days").click()
        link = alices_page.get_by_label("The link").input_value()
        token = link.rpartition("/")[2]
        requests = stranger.request
        assert requests.get(link).ok
        assert requests.get(f"{link}.").status == 404  # as a mail program may have it
        assert requests.post(link).status == 403  # no CSRF token
        assert requests.get(link, headers={"Referer": link}).ok
        # What is logged of the last one stands there before another answer.
        assert requests.get(f"{address}/healthz/").ok
        logged = log.read_text()
    assert "WARNING django.request: Not Found: /link/…\n" in logged
    assert '"GET /link/… HTTP/1.1" 200' in logged
    assert logged.count("/link/…") >= 5
    assert token.partition(":")[0] not in logged


@pytest.mark.parametrize("below", ["link/a-key", "accounts/reset/a/key/"])
def test_no_page_tells_the_key_in_its_address_and_its_forms_work(below, alices_page, base_url):
    page, told = alices_page, []
    page.on("request", lambda request: told.append(request.all_headers().get("referer", "")))
    page.goto(f"/{below}")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert len(told) > 3
    assert [address for address in told if "key" in address] == []
