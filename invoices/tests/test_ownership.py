"""What others have is not there."""

import re

import pytest
from django.core.files.base import ContentFile
from django.test import Client

from invoices.models import Invoice

from .conftest import content_of, multipart

pytestmark = pytest.mark.django_db

# Names that nobody has, and spellings of a name that somebody has.
MISSING = ["1.pdf", "4294967296.pdf", "x", "{loid}", "{loid}.txt", "+{name}", "0{name}", "{name} "]


def answer(client, path):
    """Everything that the answer tells, but the secret of the form to sign out, always another."""
    response = client.get(path)
    body = re.sub(rb'(?<=name="csrfmiddlewaretoken" value=")\w+', b"", response.content)
    return response.status_code, body, dict(response.headers)


def test_another_persons_file_and_a_missing_one_get_the_same_answer(
    alice, bob, invoice_of, signed_in
):
    name = invoice_of(bob).data.name
    client = signed_in(alice)
    theirs = answer(client, f"/file/{name}")
    assert theirs[0] == 404
    for missing in MISSING:
        missing = missing.format(name=name, loid=name.split(".")[0])
        assert answer(client, f"/file/{missing}") == theirs
    assert answer(client, f"/file/{name}?download") == theirs


@pytest.mark.parametrize("name", ["a%00b", "1.pdf%00", "..%2F1.pdf", "%F0%9F%92%A9.pdf", "%FF"])
def test_an_impossible_name_is_a_missing_file(name, alice, signed_in):
    assert signed_in(alice).get(f"/file/{name}").status_code == 404


def test_my_file_in_another_spelling_is_missing(alice, invoice_of, signed_in):
    name = invoice_of(alice).data.name
    client = signed_in(alice)
    assert client.get(f"/file/{name}").status_code == 200
    assert client.get(f"/file/0{name}").status_code == 404
    assert client.get(f"/file/{name.upper()}").status_code == 404


def test_a_file_that_no_invoice_names_is_missing(alice, signed_in):
    name = Invoice.data.field.storage.save("a.pdf", ContentFile(b"unnamed"))
    assert signed_in(alice).get(f"/file/{name}").status_code == 404


@pytest.mark.parametrize("path", ["", "edit/", "replace/", "delete/"])
def test_another_persons_invoice_and_a_missing_one_get_the_same_answer(
    path, alice, bob, invoice_of, signed_in
):
    invoice = invoice_of(bob)
    client = signed_in(alice)
    theirs = answer(client, f"/{invoice.pk}/{path}")
    assert theirs[0] == 404
    assert answer(client, f"/{invoice.pk + 1}/{path}") == theirs
    assert answer(client, f"/{10**30}/{path}") == theirs


def test_another_persons_invoice_cannot_be_changed(alice, bob, invoice_of, signed_in):
    invoice = invoice_of(bob)
    client = signed_in(alice)
    fields = {"title": "Mine", "number": "1", "issued": "2026-01-02"}
    assert client.post(f"/{invoice.pk}/edit/", fields).status_code == 404
    assert client.post(f"/{invoice.pk}/delete/").status_code == 404
    file = multipart([("data", "new.pdf", b"new")])
    assert client.post(f"/{invoice.pk}/replace/", **file).status_code == 404
    assert Invoice.objects.get().title == ""
    assert content_of(Invoice.objects.get()) == b"content"


def test_the_list_and_its_search_show_my_own_only(alice, bob, invoice_of, signed_in):
    invoice_of(bob, title="Secret", name="secret.pdf")
    for q in ["", "secret"]:
        assert b"2026-0001" not in signed_in(alice).get("/", {"q": q}).content


@pytest.mark.parametrize(
    "path", ["/", "/upload/", "/1/", "/1/edit/", "/1/replace/", "/1/delete/", "/file/1.pdf"]
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_stranger_is_sent_to_the_sign_in(path, method, client):
    response = getattr(client, method)(path)
    assert (response.status_code, response.url) == (302, f"/accounts/login/?next={path}")


@pytest.mark.parametrize("path", ["/", "/1/", "/file/1.pdf"])
def test_what_only_shows_takes_no_post(path, alice, signed_in):
    assert signed_in(alice).post(path).status_code == 405


@pytest.mark.parametrize("path", ["upload/", "{pk}/edit/", "{pk}/replace/", "{pk}/delete/"])
def test_a_form_from_another_site_is_refused(path, alice, invoice_of):
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    path = path.format(pk=invoice_of(alice).pk)
    response = client.post(
        f"/{path}", **multipart([("files", "a.pdf", b"a"), ("data", "a.pdf", b"a")])
    )
    assert response.status_code == 403
    assert b"This form is too old" in response.content
