"""A database that goes away, at whatever moment: a sentence, all or nothing, and it recovers."""

import itertools
from contextlib import closing
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.db import close_old_connections, connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from invoices import links
from invoices.models import Invoice

from .conftest import content_of, downloaded, large_objects, multipart, replace, shows, upload

pytestmark = pytest.mark.django_db(transaction=True)

SAID = "The database cannot save this now. Nothing was changed; try again."


class Killer:
    """Ends this thread's session after so many of its statements; after 0, before the first."""

    def __init__(self, after):
        self.after, self.seen, self.killed = after, 0, False

    def __call__(self, execute, *arguments):
        if self.after == 0:
            self.kill()
        result = execute(*arguments)
        self.seen += 1
        if self.seen == self.after:
            self.kill()
        return result

    def kill(self):
        self.after, self.killed = None, True
        pid = connection.connection.info.backend_pid
        with closing(connection.copy()) as other, other.cursor() as cursor:
            cursor.execute("select pg_terminate_backend(%s, 10000)", [pid])
            assert cursor.fetchone() == (True,)


PAGES = {
    "list": lambda client, invoice: client.get("/", {"q": "rent"}),
    "detail": lambda client, invoice: client.get(f"/{invoice.pk}/", {"days": "7"}),
    "file": lambda client, invoice: client.get(invoice.data.url),
    "link": lambda client, invoice: client.get(invoice.link),
    "nothing": lambda client, invoice: client.get("/nothing/"),
    "health": lambda client, invoice: client.get("/healthz/"),
    "sign in": lambda client, invoice: Client(raise_request_exception=False).post(
        "/accounts/login/", {"username": "carol", "password": "a long one"}
    ),
    "sign out": lambda client, invoice: client.post("/accounts/logout/"),
    "admin": lambda client, invoice: client.get(f"/admin/invoices/invoice/{invoice.pk}/change/"),
    "upload": lambda client, invoice: upload(client, ("a.pdf", b"a"), ("b.pdf", b"b"), amount="1"),
    "edit": lambda client, invoice: client.post(
        f"/{invoice.pk}/edit/", {"title": "new", "number": "9", "issued": "2026-03-02"}
    ),
    "replace": lambda client, invoice: replace(client, invoice, "new.pdf", b"new"),
    "delete": lambda client, invoice: client.post(f"/{invoice.pk}/delete/"),
    "admin's form": lambda client, invoice: client.post(
        f"/admin/invoices/invoice/{invoice.pk}/change/",
        **multipart(
            [("data", "new.pdf", b"new")],
            owner=invoice.owner.pk,
            number="9",
            title="new",
            issued="2026-03-02",
        ),
    ),
}


def state():
    """What a request may change: all of it, or nothing."""
    invoices = Invoice.objects.order_by("pk")
    return [(row.number, row.title, content_of(row)) for row in invoices], large_objects()


@pytest.fixture
def ask(alice):
    """Ask for a page while its database goes away: the state before, the answer, and after it."""

    def ask(page, killer):
        Invoice.objects.all().delete()
        file = ContentFile(b"old", "old.pdf")
        invoice = Invoice.objects.create(owner=alice, number="1", title="rent", data=file)
        expires = timezone.now() + timedelta(days=1)
        invoice.link = reverse("invoices:linked", args=[links.token_for(invoice, expires)])
        client = Client(raise_request_exception=False)
        client.force_login(alice)
        before = state()
        with connection.execute_wrapper(killer):
            answer = PAGES[page](client, invoice)
            if answer.streaming:
                downloaded(answer)
        close_old_connections()  # as at the end of each request; the test's client leaves it out
        return before, answer, state()

    return ask


@pytest.mark.parametrize("page", PAGES)
def test_after_any_statement_it_is_a_sentence_and_all_or_nothing(page, ask):
    before, well, done = ask(page, Killer(after=-1))
    assert well.status_code in {200, 302, 404}
    for after in itertools.count():
        killer = Killer(after)
        _, answer, found = ask(page, killer)
        if not killer.killed:
            break
        if answer.status_code == 503:
            assert shows(answer, "The database does not answer")
            assert found in (before, done)  # after COMMIT there is still a session to be saved
        elif found == before != done:
            assert (answer.status_code, shows(answer, SAID)) == (200, True)
        else:
            assert (answer.status_code, found) == (well.status_code, done)
    assert after > 1  # each page asks the database something


@pytest.fixture(autouse=True)
def carol(django_user_model, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast
    return django_user_model.objects.create_user("carol", password="a long one")
