"""What others have, and what nobody has: one answer."""

import re

import pytest
from playwright.sync_api import expect


def answer(response):
    """All that an answer tells, without what is another each time: the clock, the form's secret."""
    body = re.sub(r'(?<=name="csrfmiddlewaretoken" value=")\w+', "", response.text())
    headers = [header for header in response.headers_array if header["name"].lower() != "date"]
    for header in headers:
        if header["name"].lower() == "set-cookie":
            header["value"] = re.sub(r"^csrftoken=\w+|expires=[^;]+", "", header["value"])
    return response.status, sorted(map(str, headers)), body


@pytest.fixture
def theirs(bob, invoice_of):
    return invoice_of(bob, b"bob's secret", "secret.txt", title="Secret")


def test_another_persons_file_is_no_file(alices_page, theirs, snapshot):
    page = alices_page
    page.goto(theirs.data.url)
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    name = theirs.data.name
    number = name.split(".")[0]
    before = snapshot()
    expected = answer(page.request.get("/file/1.txt"))
    assert expected[0] == 404
    for address in [name, f"{name}?download", number, f"0{name}", f"%2B{name}", f"{name}%00"]:
        assert answer(page.request.get(f"/file/{address}")) == expected
    assert answer(page.request.head(theirs.data.url)) == answer(page.request.head("/file/1.txt"))
    ranged = {"Range": "bytes=0-3", "If-None-Match": "*"}
    assert answer(page.request.get(theirs.data.url, headers=ranged)) == expected
    assert snapshot() == before


@pytest.mark.parametrize("address", ["", "edit/", "replace/", "delete/"])
def test_another_persons_invoice_is_no_invoice(address, alices_page, theirs, snapshot):
    page = alices_page
    page.goto(f"/{theirs.pk}/{address}")
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    expect(page.get_by_text("Secret")).to_have_count(0)
    expected = answer(page.request.get(f"/{theirs.pk + 1000}/{address}"))
    assert expected[0] == 404
    assert answer(page.request.get(f"/{theirs.pk}/{address}")) == expected


@pytest.mark.parametrize("address", ["edit/", "replace/", "delete/"])
def test_another_persons_invoice_cannot_be_changed(address, alices_page, theirs, snapshot):
    page = alices_page
    before = snapshot()
    page.goto("/")  # its form to sign out holds the secret that a form needs
    form = {
        "csrfmiddlewaretoken": page.locator("[name=csrfmiddlewaretoken]").first.input_value(),
        "title": "Mine",
        "number": "2026-0001",
        "issued": "2026-01-02",
        "experiment": "",
        "data": {"name": "mine.txt", "mimeType": "text/plain", "buffer": b"mine"},
    }

    def post(pk):
        return answer(page.request.post(f"/{pk}/{address}", multipart=form))

    assert post(theirs.pk) == post(theirs.pk + 1000)
    assert post(theirs.pk)[0] == 404
    assert snapshot() == before


def test_the_list_and_its_search_show_my_own_only(alices_page, alice, theirs, invoice_of):
    page = alices_page
    invoice_of(alice, title="My own")
    page.goto("/")
    expect(page.get_by_role("rowheader")).to_have_text(["My own"])
    page.goto("/?q=secret")
    expect(page.get_by_role("heading", name="No invoice has “secret”")).to_be_visible()
