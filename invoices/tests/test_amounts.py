"""An amount can be typed as people write it, and as the pages show it."""

from decimal import Decimal

import pytest
from django.core.validators import DecimalValidator
from django.utils.translation import gettext as _

from invoices.forms import InvoiceForm
from invoices.models import Invoice
from invoices.templatetags.invoices import eur

from .conftest import multipart, shows, upload

pytestmark = pytest.mark.django_db(transaction=True)


def read(text):
    """Return what an amount is taken for, or the sentence that refuses it."""
    form = InvoiceForm({"title": "Rent", "number": "1", "amount": text, "issued": "2026-01-02"})
    if form.is_valid():
        return form.cleaned_data["amount"]
    return " ".join(form.errors["amount"])


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("12.50", "12.5"),
        ("12,50", "12.5"),
        ("12,5", "12.5"),
        ("12", "12"),
        ("12,", "12"),
        (",50", "0.5"),
        ("0,07", "0.07"),
        ("  12,50 ", "12.5"),
        ("€12.50", "12.5"),
        ("12,50 €", "12.5"),
        ("12,50\xa0€", "12.5"),
        ("EUR 12.50", "12.5"),
        ("12,50 eur", "12.5"),
        ("1234,50", "1234.5"),
        ("1,234.50", "1234.5"),
        ("€1,234.50", "1234.5"),
        ("1.234,50", "1234.5"),
        ("1 234,50", "1234.5"),
        ("1\u202f234,50", "1234.5"),
        ("1'234.50", "1234.5"),
        ("1’234.50", "1234.5"),
        ("1,234,567", "1234567"),
        ("1.234.567,89", "1234567.89"),
        ("１２，５０", "12.5"),
    ],
)
def test_is_read(text, amount):
    assert read(text) == Decimal(amount)


@pytest.mark.parametrize(
    "amount", ["0", "0.07", "12.5", "999", "1000", "1234567.89", "9999999999.99"]
)
def test_as_it_is_shown_is_read(amount):
    assert read(eur(Decimal(amount))) == Decimal(amount)


@pytest.mark.parametrize("text", ["", " ", "–", eur(None)])
def test_none_is_none(text):
    assert read(text) is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1,234", "1,234 can be read in two ways. Write 1234 or 1.23."),
        ("13.764", "13.764 can be read in two ways. Write 13764 or 13.76."),
        ("€100,000", "100,000 can be read in two ways. Write 100000 or 100.00."),
    ],
)
def test_with_two_meanings_is_refused(text, sentence):
    assert read(text) == sentence


@pytest.mark.parametrize(
    "text",
    [
        *("ten", "NaN", "Infinity", "1e3", "1_000", "€", "-", ".", ",", "$5", "12.50.1", "1,2,3"),
        *(
            "1,234,50",
            "1.234.50",
            "1,23,456.00",
            "1 2",
            "1,234 567.00",
            "12..5",
            "--5",
            "5 000.000,1",
        ),
    ],
)
def test_what_is_none_is_refused(text):
    assert read(text) == _("Enter a number.")


@pytest.mark.parametrize("text", ["-0,01", "-€5", "- 1.234,50 €"])
def test_below_nothing_is_refused(text):
    assert read(text) == "The amount cannot be negative."


@pytest.mark.parametrize("text", ["0,001", "1234,567", "0.001"])
def test_of_parts_of_a_cent_is_refused(text):
    assert read(text) == DecimalValidator(None, 2).messages["max_decimal_places"] % {"max": 2}


def test_is_read_by_the_upload_the_pages_and_the_admin(alice, signed_in):
    client = signed_in(alice)
    upload(client, ("a.pdf", b"a"), amount="1.234,50 €")
    invoice = Invoice.objects.get()
    assert invoice.amount == Decimal("1234.50")
    assert shows(client.get("/"), "€1,234.50")

    fields = {"title": "Rent", "number": "1", "issued": "2026-01-02"}
    client.post(f"/{invoice.pk}/edit/", {**fields, "amount": "€2,345.60"})
    assert Invoice.objects.get().amount == Decimal("2345.60")

    more = {**fields, "amount": "12,50", "owner": alice.pk}
    client.post(f"/admin/invoices/invoice/{invoice.pk}/change/", **multipart([], **more))
    assert Invoice.objects.get().amount == Decimal("12.50")
