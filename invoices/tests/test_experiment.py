"""The demo's switch: it breaks a real transaction, and tells what it saw."""

import pytest

from invoices.models import Invoice

from .conftest import content_of, large_objects, replace, shows, staged, upload

pytestmark = pytest.mark.django_db(transaction=True)

FAILURES = ["exception", "commit"]


@pytest.fixture(autouse=True)
def demo(settings):
    settings.DEMO = True


def counts(story):
    return dict(story.balances)


@pytest.mark.parametrize("failure", FAILURES)
def test_an_upload_was_written_and_leaves_nothing(failure, alice, invoice_of, signed_in):
    invoice_of(alice)
    before = large_objects()
    files = [("a.pdf", b"a"), ("b.pdf", b"b" * 3_000_000)]
    page = upload(signed_in(alice), *files, experiment=failure)
    assert shows(page, "Nothing was left behind.")
    story = page.wsgi_request.story
    assert counts(story) == {
        "Invoices with a file": [1, 3, 1],
        "Large objects in the database": [before, before + 2, before],
        "Large objects that no row names": [before - 1, before - 1, before - 1],
        "Uploads that wait for a row": [2, 0, 2],
    }
    assert [(name, size) for _, name, size, _ in story.objects] == [
        ("a.pdf", 1),
        ("b.pdf", 3_000_000),
    ]
    fates = [[word for word, _ in fate] for *_, fate in story.objects]
    assert fates == 2 * [["waits", "the file of a row", "waits again"]]
    assert Invoice.objects.count() == 1
    assert large_objects() == before
    assert staged() == ["a.pdf", "b.pdf"]


def test_what_was_sent_is_saved_by_the_form_that_comes_back(alice, signed_in):
    client = signed_in(alice)
    page = upload(client, ("a.pdf", b"a"), ("b.pdf", b"b"), experiment="commit")
    ids = [file.id for file in page.wsgi_request.FILES.getlist("files")]
    client.post("/upload/", {"files-staged": ids, "issued": "2026-03-02"})
    assert {content_of(invoice) for invoice in Invoice.objects.all()} == {b"a", b"b"}
    assert staged() == []


@pytest.mark.parametrize("failure", FAILURES)
def test_a_replaced_file_is_still_there(failure, alice, invoice_of, signed_in):
    invoice = invoice_of(alice, b"old")
    page = replace(signed_in(alice), invoice, "new.pdf", b"new", experiment=failure)
    assert shows(page, "Nothing was lost, and nothing was left behind.")
    fates = [[word for word, _ in fate] for *_, fate in page.wsgi_request.story.objects]
    assert fates == [
        ["there", "deleted", "still there"],
        ["waits", "the file of a row", "waits again"],
    ]
    assert shows(page, "rent.pdf")
    assert content_of(Invoice.objects.get()) == b"old"


@pytest.mark.parametrize("failure", FAILURES)
def test_a_deleted_invoice_and_its_file_are_still_there(failure, alice, invoice_of, signed_in):
    invoice = invoice_of(alice, b"old")
    page = signed_in(alice).post(f"/{invoice.pk}/delete/", {"experiment": failure})
    assert shows(page, "Nothing was lost.")
    assert counts(page.wsgi_request.story)["Invoices with a file"] == [1, 0, 1]
    assert content_of(Invoice.objects.get()) == b"old"


def test_without_the_switch_the_work_is_done(alice, signed_in):
    upload(signed_in(alice), ("a.pdf", b"a"), experiment="")
    assert Invoice.objects.count() == 1


def test_outside_of_the_demo_there_is_no_switch(alice, signed_in, settings):
    settings.DEMO = False
    client = signed_in(alice)
    assert not shows(client.get("/upload/"), "Make the transaction fail")
    upload(client, ("a.pdf", b"a"), experiment="exception")
    assert Invoice.objects.count() == 1
