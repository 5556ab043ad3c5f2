"""What a page says was done, was done."""

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.db.models.signals import post_init

from invoices.models import Invoice

from .conftest import content_of, replace, shows, upload

pytestmark = pytest.mark.django_db(transaction=True)

FIELDS = {"title": "Rent", "number": "1", "amount": "3.00", "issued": "2026-03-02"}


@pytest.fixture
def invoice(alice, invoice_of):
    return invoice_of(alice, b"old", **FIELDS)


def said(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


def test_an_upload_names_the_invoice_or_counts_them(alice, signed_in):
    one = upload(signed_in(alice), ("a.pdf", b"a"))
    assert said(one) == ["Invoice 2026-0001 was uploaded."]
    two = upload(signed_in(alice), ("b.pdf", b"b"), ("c.pdf", b"c"))
    assert said(two) == ["2 invoices were uploaded."]


def test_a_changed_invoice_was_saved(alice, invoice, signed_in):
    response = signed_in(alice).post(f"/{invoice.pk}/edit/", {**FIELDS, "amount": "4"})
    assert said(response) == ["The changes were saved."]
    assert Invoice.objects.get().amount == 4


@pytest.mark.parametrize("same", [{}, {"amount": "3"}, {"title": " Rent "}])
def test_an_unchanged_one_was_not(same, alice, invoice, signed_in):
    response = signed_in(alice).post(f"/{invoice.pk}/edit/", {**FIELDS, **same})
    assert said(response) == ["Nothing was changed."]


def test_a_file_takes_the_place_of_another(alice, invoice, signed_in):
    response = replace(signed_in(alice), invoice, "new.pdf", b"new")
    assert said(response) == ["The file was replaced."]


def test_a_file_is_added_where_there_was_none(alice, invoice_of, signed_in):
    response = replace(signed_in(alice), invoice_of(alice, None), "new.pdf", b"new")
    assert said(response) == ["The file was added."]


@pytest.mark.parametrize("name", ["", "."])  # no file was chosen; the name of none
def test_without_a_file_nothing_was_replaced(name, alice, invoice, signed_in):
    page = replace(signed_in(alice), invoice, name, b"")
    assert (page.status_code, said(page)) == (200, [])
    assert shows(page, "Choose a file.")
    assert content_of(Invoice.objects.get()) == b"old"


def test_an_invoice_is_deleted_with_its_file(alice, invoice, signed_in):
    response = signed_in(alice).post(f"/{invoice.pk}/delete/")
    assert said(response) == ["Invoice 1 and its file were deleted."]


def test_an_invoice_without_a_file_is_deleted_alone(alice, invoice_of, signed_in):
    response = signed_in(alice).post(f"/{invoice_of(alice, None, number='1').pk}/delete/")
    assert said(response) == ["Invoice 1 was deleted."]


@pytest.fixture
def deleted_meanwhile():
    """Another session deletes each invoice after a view has read it."""

    def delete(instance, **kwargs):
        with connection.cursor() as cursor:
            cursor.execute("delete from invoices_invoice where id = %s", [instance.pk])

    post_init.connect(delete, sender=Invoice)
    yield
    post_init.disconnect(delete, sender=Invoice)


@pytest.mark.parametrize("address", ["edit", "replace", "delete"])
def test_what_was_deleted_meanwhile_is_not_found(
    address, alice, invoice, signed_in, deleted_meanwhile
):
    client = signed_in(alice)
    if address == "replace":
        response = replace(client, invoice, "new.pdf", b"new")
    else:
        response = client.post(f"/{invoice.pk}/{address}/", FIELDS)
    assert response.status_code == 404
    assert said(response) == []
    assert not Invoice.objects.exists()
