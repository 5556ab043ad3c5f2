"""What others have is not there."""

import re

import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from invoices.models import Invoice

from .conftest import content_of, multipart

pytestmark = pytest.mark.django_db

# Names that nobody has, and spellings of a name that somebody has.
MISSING = ["1.pdf", "4294967296.pdf", "x", "{loid}", "{loid}.txt", "+{name}", "0{name}", "{name} "]


def answer(client, path, **headers):
    """Everything that the answer tells, but the secret of the form to sign out, always another."""
    response = client.get(path, headers=headers)
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
    for headers in [{"Range": "bytes=0-3"}, {"If-None-Match": "*"}, {"If-Match": '"a"'}]:
        assert answer(client, f"/file/{name}", **headers) == theirs


def test_another_persons_file_costs_the_same_statements_as_a_missing_one(
    alice, bob, invoice_of, signed_in
):
    def statements(name):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get(f"/file/{name}").status_code == 404
        return [re.sub(r"'[^']*'|[0-9]+", "", query["sql"]) for query in queries]

    theirs, client = invoice_of(bob).data.name, signed_in(alice)
    assert statements(theirs) == statements("1.pdf")
    # Session, user, and whether an invoice of hers names it.
    assert len(statements(theirs)) == 3


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-3"}, {"If-None-Match": "*"}])
def test_a_head_tells_no_more_of_another_persons_file_than_of_a_missing_one(
    headers, alice, bob, invoice_of, signed_in
):
    name, client = invoice_of(bob).data.name, signed_in(alice)
    theirs, missing = (client.head(f"/file/{n}", headers=headers) for n in [name, "1.pdf"])
    assert theirs.status_code == missing.status_code == 404
    assert dict(theirs.headers) == dict(missing.headers)
    assert theirs.content == missing.content == b""


def test_no_number_opens_a_file_of_another_person(alice, bob, invoice_of, signed_in):
    client = signed_in(alice)
    mine, theirs = invoice_of(alice), [invoice_of(bob, name=f"a{s}") for s in [".pdf", ".txt", ""]]
    numbers = [int(invoice.data.name.split(".")[0]) for invoice in [mine, *theirs]]
    found = [
        name
        for number in range(min(numbers) - 2, max(numbers) + 3)
        for name in [f"{number}.pdf", f"{number}.txt", f"{number}"]
        if client.get(f"/file/{name}").status_code != 404
    ]
    assert found == [mine.data.name]


@pytest.mark.parametrize(
    "name",
    [
        *("a%00b", "1.pdf%00", "%F0%9F%92%A9.pdf", "%FF", "9" * 100_000, "1." + "x" * 100_000),
        *("..%2F1.pdf", "../manage.py", "..%2F..%2F..%2Fetc%2Fpasswd", "..%5C..%5Cmanage.py"),
        *("%2Fetc%2Fpasswd", "....%2F%2Fmanage.py", "%252e%252e%252fmanage.py", "..", "C%3A%5Cx"),
        *("1.pdf%0D%0ASet-Cookie%3A%20a=b", "1 or 1=1", "1.pdf'--", "*", "%25"),
    ],
)
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
