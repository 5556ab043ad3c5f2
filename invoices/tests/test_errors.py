"""What a person sees when something fails: a page of ours, and never a trace."""

import pytest
from django.contrib.sessions.models import Session
from django.db import DataError, IntegrityError, OperationalError
from django.test import Client

from .conftest import shows, upload

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_missing_page(client):
    page = client.get("/nothing/here/")
    assert page.status_code == 404
    assert shows(page, "There is no such page")


def test_messages_wait_for_a_page_that_somebody_sees(alice, signed_in):
    client = signed_in(alice)
    upload(client, ("a.pdf", b"a"))
    client.get("/staged/8e6d1f0a-0000-4000-8000-000000000000/file")  # as a picture asks for it
    assert shows(client.get("/"), "was uploaded.")


def test_a_bad_request(client):
    page = client.get("/", headers={"host": "not a host"})
    assert page.status_code == 400
    assert shows(page, "This request could not be read")


def test_an_error_of_ours(alice, monkeypatch):
    client = Client(raise_request_exception=False)
    client.force_login(alice)
    monkeypatch.setattr("invoices.views.Paginator", None)
    page = client.get("/")
    assert page.status_code == 500
    assert shows(page, "Something went wrong here")


def test_what_the_database_refuses_is_not_said_to_be_its_absence(alice, signed_in, monkeypatch):
    def refused(*args):
        raise IntegrityError("other data would no longer be right")

    monkeypatch.setattr("invoices.views.Paginator", refused)
    client = signed_in(alice)
    client.raise_request_exception = False
    page = client.get("/")
    assert page.status_code == 500
    assert shows(page, "Something went wrong here")


def test_a_session_that_ended_meanwhile_is_not_said_to_be_the_database_s_absence(
    alice, signed_in, monkeypatch
):
    client = signed_in(alice)

    def elsewhere(*args):
        Session.objects.all().delete()
        return []

    monkeypatch.setattr("invoices.batches.UploadForm.save", elsewhere)
    page = upload(client, ("a.pdf", b"a"))
    assert page.status_code == 400
    assert shows(page, "You were signed out meanwhile")
    assert not shows(page, "Nothing was changed")  # The view has done its work.


def test_a_database_that_cannot_save_now_is_told_in_the_form(alice, signed_in, monkeypatch):
    def full_disk(*args):
        raise OperationalError("could not extend file: No space left on device")

    monkeypatch.setattr("invoices.models.InvoiceQuerySet.next_number", full_disk)
    page = upload(signed_in(alice), ("a.pdf", b"a"))
    assert page.status_code == 200
    assert shows(page, "The database cannot save this now. Nothing was changed; try again.")


def test_what_the_database_does_not_take_is_not_to_be_tried_again(alice, signed_in, monkeypatch):
    def too_large(*args):
        raise DataError("value out of range")

    monkeypatch.setattr("invoices.models.InvoiceQuerySet.next_number", too_large)
    page = upload(signed_in(alice), ("a.pdf", b"a"))
    assert page.status_code == 200
    assert shows(page, "The database does not take what was entered. Nothing was changed: enter")


def test_a_wrong_password(client):
    page = client.post("/accounts/login/", {"username": "alice", "password": "wrong"})
    (sentence,) = page.context["form"].get_invalid_login_error().messages
    assert shows(page, sentence)
