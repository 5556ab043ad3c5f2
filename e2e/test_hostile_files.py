"""Whatever was uploaded is hostile: it is kept, and it never runs."""

import pytest
from playwright.sync_api import Error, expect

from invoices.models import Invoice

from .steps import upload

# Each asks for an address that tells that a script ran.
SCRIPT = "new Image().src = 'ADDRESS'"
BODY = f"""<script>{SCRIPT}</script><img src="x" onerror="{SCRIPT}"/>"""
HTML = f"<!doctype html><html><head><title>Hello</title></head><body>{BODY}</body></html>"
XHTML = f'<html xmlns="http://www.w3.org/1999/xhtml"><body>{BODY}</body></html>'
SVG = f"""<svg xmlns="http://www.w3.org/2000/svg" onload="{SCRIPT}"><a xmlns:x="http://www.w3.org/1999/xhtml">
<x:script>{SCRIPT}</x:script></a><rect width="9" height="9"/></svg>"""


@pytest.fixture
def hostile(base_url, sample):
    """Write a hostile file."""
    return lambda name, text: sample(name, text.replace("ADDRESS", f"{base_url}/it-ran").encode())


@pytest.fixture
def asked_for(context):
    """The addresses that the browser asks for."""
    addresses = []
    context.on("request", lambda request: addresses.append(request.url))
    return addresses


def ran(addresses):
    return any(address.endswith("/it-ran") for address in addresses)


@pytest.mark.parametrize(
    ("name", "text"), [("page.html", HTML), ("page.xhtml", XHTML), ("drawing.svg", SVG)]
)
def test_each_of_them_runs_where_it_is_let(name, text, page, hostile):
    with page.expect_request("**/it-ran"):
        page.goto(hostile(name, text).as_uri())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("page.html", HTML),
        ("page.htm", HTML),
        ("page.xhtml", XHTML),
        ("page.xml", XHTML),
        ("drawing.svg", SVG),
        ("page.shtml", HTML),
        ("page.mhtml", HTML),
        ("page.html.gz", HTML),
        ("none", HTML),
    ],
)
def test_what_can_run_is_saved_to_disk(name, text, alices_page, hostile, asked_for):
    page = alices_page
    page.goto("/upload/")
    file = hostile(name, text)
    upload(page, file)
    expect(page.get_by_text("A browser cannot safely show this kind of file.")).to_be_visible()
    address = Invoice.objects.get().data.url
    with page.expect_download() as event, pytest.raises(Error, match="Download is starting"):
        page.goto(address)
    assert event.value.suggested_filename == name
    assert event.value.path().read_bytes() == file.read_bytes()
    expect(page.get_by_role("heading", name="Preview")).to_be_visible()
    assert not ran(asked_for)


@pytest.mark.parametrize("name", ["notes.txt", "page.html.txt", "scan.png", "page.svg.png"])
def test_what_pretends_to_be_harmless_stays_harmless(name, alices_page, hostile, asked_for):
    page = alices_page
    page.goto("/upload/")
    upload(page, hostile(name, HTML))
    expect(page.get_by_role("heading", name="Preview")).to_be_visible()
    page.goto(Invoice.objects.get().data.url)
    page.wait_for_load_state("networkidle")
    assert page.title() != "Hello"
    assert not ran(asked_for)


def test_a_name_and_a_title_are_text(alices_page, sample, asked_for):
    page = alices_page
    name = '<img src=x onerror="fetch(`it-ran`)">.txt'
    page.goto("/upload/")
    page.get_by_label("Title").fill("<script>fetch('/it-ran')</script>")
    upload(page, sample(name, b"content"))
    expect(page.get_by_role("heading", name="<script>fetch('/it-ran')</script>")).to_be_visible()
    expect(page.get_by_text(name, exact=True)).to_be_visible()
    for address in ["/", "/?q=<script>fetch('/it-ran')</script>"]:
        page.goto(address)
        expect(page.get_by_role("link", name=name)).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert not ran(asked_for)
