"""A link opens one file until one moment, for whoever has it, and nothing else ever."""

import re
import time
from datetime import timedelta

import pytest
from django.core.signing import Signer
from django.urls import reverse
from django.utils import timezone

from invoices.links import MAX_TOKEN, signer, token_for
from invoices.models import Invoice
from lo_storage.models import LargeObject

from .conftest import downloaded, replace, shows

pytestmark = pytest.mark.django_db


def link(invoice, **delta):
    expires = timezone.now() + timedelta(**(delta or {"days": 1}))
    return reverse("invoices:linked", args=[token_for(invoice, expires)])


@pytest.fixture
def nothing(client):
    """The answer to a link that nobody ever made."""
    response = client.get("/link/nonsense")
    assert response.status_code == 404
    assert shows(response, "There is no such page")
    return everything(response)


def everything(response):
    return response.status_code, response.content, dict(response.headers)


def test_a_link_opens_the_file_without_an_account(alice, invoice_of, client):
    response = client.get(link(invoice_of(alice, b"content", "March rent.pdf")))
    assert downloaded(response) == b"content"
    assert response.headers["Content-Disposition"] == 'attachment; filename="March rent.pdf"'
    assert response.headers["Content-Type"] == "application/pdf"
    assert response.headers["Cache-Control"] == "private, no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Frame-Options"] == "DENY"


def test_a_link_needs_no_session_and_tells_nothing_of_the_owner(
    alice, invoice_of, client, django_assert_num_queries
):
    address = link(invoice_of(alice, name="rent.pdf"))
    # The file that it names, and what the catalogue has of it, with the content of so small a one.
    with django_assert_num_queries(2):
        response = client.get(address)
        downloaded(response)
    assert not response.cookies
    assert "alice" not in f"{address} {response.headers}"


def test_head_and_ranges_work(alice, invoice_of, client):
    address = link(invoice_of(alice, b"0123456789"))
    head = client.head(address)
    assert (head.status_code, downloaded(head), head.headers["Content-Length"]) == (200, b"", "10")
    part = client.get(address, headers={"Range": "bytes=2-4"})
    assert (part.status_code, downloaded(part)) == (206, b"234")
    resumed = {"Range": "bytes=5-", "If-Range": head.headers["ETag"]}
    assert downloaded(client.get(address, headers=resumed)) == b"56789"


def test_a_link_ends_at_its_moment(alice, invoice_of, client, nothing):
    invoice = invoice_of(alice)
    assert client.get(link(invoice, seconds=60)).status_code == 200
    for passed in [0, 1, 60, 10**8]:
        assert everything(client.get(link(invoice, seconds=-passed))) == nothing


def test_a_changed_link_is_no_link(alice, invoice_of, client, nothing):
    address = link(invoice_of(alice))
    start = len("/link/")
    for at in range(start, len(address)):
        for other in {"A", "B"} - {address[at]}:
            changed = address[:at] + other + address[at + 1 :]
            assert everything(client.get(changed)) == nothing
    for changed in [address[:-1], address + "A", address + "%0A", f"{address}:A", address.lower()]:
        assert everything(client.get(changed)) == nothing
    assert client.get(address).status_code == 200


def test_the_signature_of_another_file_is_none(alice, bob, invoice_of, client, nothing):
    mine, theirs = link(invoice_of(alice)), link(invoice_of(bob))
    (mine, my_signature), (theirs, their_signature) = mine.split(":"), theirs.split(":")
    assert everything(client.get(f"{theirs}:{my_signature}")) == nothing
    assert everything(client.get(f"{mine}:{their_signature}")) == nothing


@pytest.mark.parametrize("salt", ["invoices", "invoices.link", "django.core.signing", None])
def test_a_signature_for_another_purpose_is_none(salt, alice, invoice_of, client, nothing):
    file = LargeObject.objects.get(name=invoice_of(alice).data.name)
    end = int(time.time()) + 1000
    what = [file.loid, file.created_at.isoformat(), end]
    assert client.get(f"/link/{Signer(salt='invoices.links').sign_object(what)}").status_code == 200
    token = Signer(salt=salt).sign_object(what)
    assert everything(client.get(f"/link/{token}")) == nothing


def test_a_link_ends_when_the_invoice_is_deleted(alice, invoice_of, client, nothing):
    invoice = invoice_of(alice)
    address = link(invoice)
    invoice.delete()
    assert everything(client.get(address)) == nothing


def test_a_link_ends_when_the_file_is_replaced(alice, invoice_of, client, signed_in, nothing):
    invoice = invoice_of(alice)
    address = link(invoice)
    assert replace(signed_in(alice), invoice, "rent.pdf", b"new").status_code == 302
    assert everything(client.get(address)) == nothing
    invoice.refresh_from_db()
    assert downloaded(client.get(link(invoice))) == b"new"


def test_a_link_ends_when_no_invoice_names_the_file(alice, invoice_of, client, nothing):
    invoice = invoice_of(alice)
    address = link(invoice)
    Invoice.objects.update(data=None)
    assert everything(client.get(address)) == nothing


def test_a_link_ends_when_the_owner_s_account_is_closed(alice, invoice_of, client, nothing):
    address = link(invoice_of(alice))
    alice.is_active = False
    alice.save()
    assert everything(client.get(address)) == nothing


def test_a_number_that_is_given_again_is_another_file(alice, invoice_of, client, nothing):
    address = link(invoice_of(alice))
    file = LargeObject.objects.get()
    LargeObject.objects.update(created_at=file.created_at + timedelta(microseconds=1))
    assert everything(client.get(address)) == nothing


def test_a_link_of_another_secret_key_is_none(alice, invoice_of, client, nothing):
    file = LargeObject.objects.get(name=invoice_of(alice).data.name)
    what = [file.loid, file.created_at.isoformat(), int(time.time()) + 1000]
    token = Signer(key="another", salt="invoices.links").sign_object(what)
    assert everything(client.get(f"/link/{token}")) == nothing


@pytest.mark.parametrize("token", ["x" * 100_000, "%00", "a%2Fb", "ä:ö", ":", "A:B:C", "..%2F.."])
def test_what_can_be_no_token_is_no_link(token, client, nothing):
    assert everything(client.get(f"/link/{token}")) == nothing


def test_every_token_fits_the_address():
    largest = [2**32 - 1, "9999-12-31T23:59:59.999999+00:00", 253_402_300_799]
    assert len(signer.sign_object(largest)) <= MAX_TOKEN


def test_no_link_takes_a_post(alice, invoice_of, client):
    assert client.post(link(invoice_of(alice))).status_code == 405
    assert client.post("/link/nonsense").status_code == 405


@pytest.mark.parametrize("days", [1, 7, 30])
def test_the_page_makes_a_link_and_says_when_it_ends(days, alice, invoice_of, signed_in, client):
    invoice = invoice_of(alice)
    page = signed_in(alice).get(f"/{invoice.pk}/", {"days": days})
    assert shows(page, "or sooner when the file is replaced or deleted")
    (address,) = re.findall(r'value="(http://testserver/link/[^"]+)"', page.content.decode())
    assert client.get(address).status_code == 200
    left = page.context["expires"] - timezone.now()
    assert timedelta(days=days, minutes=-1) < left <= timedelta(days=days)


@pytest.mark.parametrize("days", ["", "0", "-1", "2", "31", "1e9", "x", "7\0"])
def test_the_page_makes_no_link_of_another_length(days, alice, invoice_of, signed_in):
    page = signed_in(alice).get(f"/{invoice_of(alice).pk}/", {"days": days})
    assert page.status_code == 200
    assert not shows(page, "/link/")


def test_another_persons_invoice_gets_no_link(alice, bob, invoice_of, signed_in):
    page = signed_in(alice).get(f"/{invoice_of(bob).pk}/", {"days": 7})
    assert page.status_code == 404
    assert not shows(page, "/link/")


def test_an_invoice_without_a_file_gets_no_link(alice, invoice_of, signed_in):
    page = signed_in(alice).get(f"/{invoice_of(alice, None).pk}/", {"days": 7})
    assert not shows(page, "Link for someone")
