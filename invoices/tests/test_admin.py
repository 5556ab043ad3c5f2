import pytest
from django.template.defaultfilters import filesizeformat
from django.test import Client

from invoices.admin import InvoiceAdmin
from invoices.models import Invoice

from .conftest import content_of, downloaded, multipart, shows, staged

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def invoice(bob, invoice_of):
    return invoice_of(bob, title="Rent", name='the "rent".pdf')


def change(client, invoice, files=(), **fields):
    fields = {
        "owner": invoice.owner.pk,
        "number": invoice.number,
        "title": "Rent",
        "issued": "2026-01-02",
        **fields,
    }
    return client.post(
        f"/admin/invoices/invoice/{invoice.pk}/change/", **multipart(files, **fields)
    )


def test_lists_and_searches_the_invoices_of_everyone(alice, invoice, signed_in):
    client = signed_in(alice)
    for q in ["", "bob", "rent", "0001"]:
        assert shows(client.get("/admin/invoices/invoice/", {"q": q}), 'the "rent".pdf')


def test_staff_downloads_by_the_admins_own_link(alice, invoice, signed_in):
    client = signed_in(alice)
    link = f"/admin/invoices/invoice/{invoice.pk}/download/"
    page = client.get(f"/admin/invoices/invoice/{invoice.pk}/change/")
    assert shows(page, link)
    assert not shows(page, invoice.data.url)
    assert downloaded(client.get(link)) == b"content"


def test_who_may_not_see_invoices_downloads_none(bob, invoice, signed_in):
    bob.is_staff = True
    bob.save()
    link = f"/admin/invoices/invoice/{invoice.pk}/download/"
    assert signed_in(bob).get(link).status_code == 403


def test_a_missing_file_is_not_found(alice, bob, invoice_of, signed_in):
    empty = invoice_of(bob, None)
    for pk in [empty.pk, empty.pk + 1]:
        link = f"/admin/invoices/invoice/{pk}/download/"
        assert signed_in(alice).get(link).status_code == 404


def test_a_file_can_be_replaced(alice, invoice, signed_in):
    assert change(signed_in(alice), invoice, [("data", "new.pdf", b"new")]).status_code == 302
    assert content_of(Invoice.objects.get()) == b"new"
    assert not invoice.data.storage.exists(invoice.data.name)


def test_a_form_that_is_refused_shows_the_file_that_there_is(alice, invoice, signed_in):
    page = change(signed_in(alice), invoice, [("data", "new.pdf", b"new")], title="")
    assert page.status_code == 200
    assert shows(page, 'the "rent".pdf')
    assert content_of(invoice) == b"content"


def test_the_list_is_sorted_by_the_names_of_files(alice, bob, invoice, invoice_of, signed_in):
    invoice_of(bob, title="First", name="a.pdf")
    column = InvoiceAdmin.list_display.index("file") + 1
    for order, first in [("", "a.pdf"), ("-", 'the "rent".pdf')]:
        page = signed_in(alice).get("/admin/invoices/invoice/", {"o": f"{order}{column}"})
        listed = page.context["cl"].result_list
        assert listed[0].data.entry.original_name == first


def test_a_file_can_be_cleared(alice, invoice, signed_in):
    assert change(signed_in(alice), invoice, **{"data-clear": "on"}).status_code == 302
    assert Invoice.objects.filter(data__isnull=True).exists()
    assert not invoice.data.storage.exists(invoice.data.name)


def test_a_save_without_a_new_file_keeps_it(alice, invoice, signed_in):
    assert change(signed_in(alice), invoice, title="Other").status_code == 302
    assert content_of(Invoice.objects.get(title="Other")) == b"content"


def test_a_number_that_is_taken_is_told(alice, invoice, invoice_of, signed_in):
    other = invoice_of(invoice.owner)
    page = change(signed_in(alice), invoice, number=other.number)
    assert shows(page, "You have another invoice with this number.")


def test_an_invoice_is_added_and_deleted(alice, bob, signed_in):
    client = signed_in(alice)
    fields = {"owner": bob.pk, "number": "7", "title": "New", "issued": "2026-01-02"}
    client.post("/admin/invoices/invoice/add/", **multipart([("data", "a.pdf", b"a")], **fields))
    invoice = bob.invoices.get()
    client.post(f"/admin/invoices/invoice/{invoice.pk}/delete/", {"post": "yes"})
    assert not invoice.data.storage.exists(invoice.data.name)


@pytest.fixture
def no_disk(settings, tmp_path):
    """Whatever is put into a temporary file is an error."""
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "nowhere"


ADDRESSES = ["/admin/invoices/invoice/add/", "/admin/invoices/invoice/1/change/", "/upload/"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_stranger_s_file_comes_to_no_disk_where_files_are_taken(address, db, no_disk):
    token = 32 * "a"
    stranger = Client(enforce_csrf_checks=True, headers={"Cookie": f"csrftoken={token}"})
    form = multipart([("data", "a.bin", bytes(3_000_000))], csrfmiddlewaretoken=token)
    assert stranger.post(address, **form).status_code == 302


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_upload_for_which_there_is_no_room_is_a_sentence(address, alice, signed_in, no_room):
    form = multipart([("data", "a.bin", bytes(3_000_000))])
    page = signed_in(alice).post(address, **form)
    assert page.status_code == 507
    assert shows(page, "There is no room for files now")
    assert staged() == []


def test_the_limits_of_an_upload_hold_in_the_admin(alice, invoice, signed_in, settings):
    settings.LO_STORAGE_UPLOADS = {"MAX_SIZE": 2048}
    page = change(signed_in(alice), invoice, [("data", "a.bin", bytes(1_000_000))])
    assert shows(page, f"The file is too large. One file may have up to {filesizeformat(2048)}.")
    assert change(signed_in(alice), invoice, [("data", "a", b"")] * 101).status_code == 413


def test_a_form_of_the_admin_from_another_site_is_refused(alice, invoice):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert change(client, invoice, [("data", "new.pdf", b"new")]).status_code == 403
    assert content_of(Invoice.objects.get()) == b"content"
