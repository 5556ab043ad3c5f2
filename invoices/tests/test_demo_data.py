import re

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command

from invoices.models import Invoice

from .conftest import content_of

pytestmark = pytest.mark.django_db


def test_makes_two_people_with_real_files(settings, django_user_model, capsys):
    settings.DEMO = True
    call_command("demo_data")
    for name in ["alice", "bob"]:
        assert django_user_model.objects.get(username=name).check_password("demo")
    begins = {"PDF": b"%PDF-", "PNG": b"\x89PNG", "CSV": b"description,", "TXT": b"Dr. Ines"}
    for invoice in Invoice.objects.all():
        assert content_of(invoice).startswith(begins[invoice.kind])
    assert max(invoice.data.size for invoice in Invoice.objects.with_entries()) > 2_000_000
    assert capsys.readouterr().out == "10 invoices created, 10 in all.\n"


def checksums():
    return {invoice.number: invoice.data.entry.sha256 for invoice in Invoice.objects.with_entries()}


def test_is_the_same_each_time_and_adds_nothing_twice(settings):
    settings.DEMO = True
    call_command("demo_data", verbosity=0)
    first = checksums()
    Invoice.objects.filter(number="2026-0001").update(title="Mine")
    call_command("demo_data", verbosity=0)
    assert Invoice.objects.filter(title="Mine").count() == 2
    Invoice.objects.all().delete()
    call_command("demo_data", verbosity=0)
    assert checksums() == first


def test_refuses_where_its_password_would_be_a_hole(settings):
    settings.DEMO = settings.DEBUG = False
    with pytest.raises(ImproperlyConfigured, match=re.escape("known password: set DEMO or DEBUG")):
        call_command("demo_data")
