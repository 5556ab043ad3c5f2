"""A database that goes away, at whatever moment: a sentence, all or nothing, and it recovers."""

import itertools
from contextlib import closing, contextmanager
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.db import close_old_connections, connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from invoices import links
from invoices.models import Invoice
from tests.doors import Door

from .conftest import (
    content_of,
    downloaded,
    large_objects,
    multipart,
    replace,
    shows,
    stage,
    upload,
)

pytestmark = pytest.mark.django_db(transaction=True)

UNKNOWN = (
    "The database went away at the last moment, so this may have been done or not."
    " Send it again: nothing is done twice."
)
SAID = "The database cannot save this now. Nothing was changed; try again."


TOKEN = "7d9cfd1e-36f4-4c88-9c2f-0fbd8f3ccf43"  # of a form of uploads


class Moment:
    """Takes the database away after so many statements; after 0, before the first."""

    def __init__(self, after, take_away):
        self.after, self.take_away, self.came = after, take_away, False
        self.in_transaction = []  # of each statement, whether it was

    def __call__(self, execute, *arguments):
        if self.after == 0:
            self.come()
        self.in_transaction.append(connection.in_atomic_block)
        result = execute(*arguments)
        if len(self.in_transaction) == self.after:
            self.come()
        return result

    def come(self):
        self.after, self.came = None, True
        self.take_away()


@pytest.fixture
def door(transactional_db):
    """The port by which this test reaches its database."""
    with Door() as door:
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
            patch.setitem(connection.settings_dict, "PORT", door.port)
            connection.close()
            yield door
        connection.close()


@pytest.fixture(params=["session", "port"])
def take_away(request, door):
    def end_session():
        """Another one is to be had."""
        pid = connection.connection.info.backend_pid
        with closing(connection.copy()) as other, other.cursor() as cursor:
            cursor.execute("select pg_terminate_backend(%s, 10000)", [pid])
            assert cursor.fetchone() == (True,)

    def close_port():
        """None is, for as long as the request lasts."""
        door.close()
        if not connection.in_atomic_block:
            connection.close()  # A BEGIN finds it out, if one comes next.

    return {"session": end_session, "port": close_port}[request.param]


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
    "upload": lambda client, invoice: upload(client, ("a.pdf", b"a"), ("b.pdf", b"b"), token=TOKEN),
    "upload of what is staged": lambda client, invoice: client.post(
        "/upload/", {"files-staged": invoice.staged[:2], "token": TOKEN, "issued": "2026-03-02"}
    ),
    "replace by what is staged": lambda client, invoice: client.post(
        f"/{invoice.pk}/replace/", {"data-staged": invoice.staged[2], "seen": invoice.staged[2]}
    ),
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

# What was staged before was so by transactions of its own.
IN_ONE_TRANSACTION = ["upload of what is staged", "edit", "replace by what is staged", "delete"]


def state():
    """What a request may change: all of it, or nothing."""
    invoices = Invoice.objects.order_by("pk")
    return [(row.number, row.title, content_of(row)) for row in invoices], large_objects()


@pytest.fixture
def ask(door, alice):
    """Ask for a page while its database goes away: the state before, the answer, and after it."""

    def ask(page, moment):
        Invoice.objects.all().delete()
        file = ContentFile(b"old", "old.pdf")
        invoice = Invoice.objects.create(owner=alice, number="1", title="rent", data=file)
        expires = timezone.now() + timedelta(days=1)
        invoice.link = reverse("invoices:linked", args=[links.token_for(invoice, expires)])
        invoice.staged = [stage(alice, name, name.encode()) for name in ["a.pdf", "b.pdf", "c.pdf"]]
        client = Client(raise_request_exception=False)
        client.force_login(alice)
        before = state()
        ask.again = lambda: PAGES[page](client, invoice)
        with connection.execute_wrapper(moment):
            answer = ask.again()
            if answer.streaming:
                downloaded(answer)
        if door.listener is None:
            door.open()
        close_old_connections()  # as at the end of each request; the test's client leaves it out
        return before, answer, state()

    return ask


@pytest.mark.parametrize("page", PAGES)
def test_after_any_statement_it_is_a_sentence_and_all_or_nothing(page, ask, take_away):
    before, well, done = ask(page, Moment(-1, take_away))
    assert well.status_code in {200, 302, 404}
    was_open = 0
    for after in itertools.count():
        moment = Moment(after, take_away)
        _, answer, found = ask(page, moment)
        if not moment.came:
            break
        if answer.status_code == 503:
            assert shows(answer, "The database does not answer")
            assert found in (before, done)  # after COMMIT there is still a session to be saved
        elif found == before != done:
            # After the last statement comes COMMIT, and nobody hears how that went.
            was_open += shows(answer, UNKNOWN)
            assert (answer.status_code, shows(answer, SAID)) == (200, not shows(answer, UNKNOWN))
        else:
            assert (answer.status_code, found) == (well.status_code, done)
    assert was_open <= 1
    assert after > 1  # each page asks the database something


@pytest.mark.parametrize("page", IN_ONE_TRANSACTION)
def test_a_begin_that_finds_no_database_is_told_in_the_form(page, ask, door):
    def refuse_the_next():
        connection.close()
        door.refuses = 1

    well = Moment(-1, refuse_the_next)
    ask(page, well)
    before_begin = well.in_transaction.index(True)
    before, answer, found = ask(page, Moment(before_begin, refuse_the_next))
    assert (answer.status_code, shows(answer, SAID), door.refuses) == (200, True, 0)
    assert found == before


# Deferred, so it comes at COMMIT.
KILL = """
create function kill() returns trigger language plpgsql as $$
begin
    perform pg_terminate_backend(pg_backend_pid());
    return null;
end
$$;
create constraint trigger kill after insert or update or delete on invoices_invoice
    deferrable initially deferred for each row execute function kill();
"""


@contextmanager
def killed(door):
    with closing(connection.copy()) as other, other.cursor() as cursor:
        yield lambda: cursor.execute(KILL)
        cursor.execute("drop function kill cascade")


@contextmanager
def unheard(door):
    yield lambda: setattr(door, "unheard", b"COMMIT")
    door.unheard = None


@pytest.mark.parametrize("end", [killed, unheard])
@pytest.mark.parametrize("page", IN_ONE_TRANSACTION)
def test_a_session_that_ends_at_commit_leaves_open_what_was_done_and_again_is_safe(
    page, end, ask, door
):
    before, well, done = ask(page, Moment(-1, None))
    assert before != done
    with end(door) as at_commit:
        _, answer, found = ask(page, Moment(0, at_commit))
    assert (answer.status_code, shows(answer, UNKNOWN)) == (200, True)
    assert shows(answer, "This may have been done")
    assert not shows(answer, "Nothing was")
    assert found == {killed: before, unheard: done}[end]
    again = ask.again()
    # What is done is not there to be done again.
    answers = {"delete": 404, "replace by what is staged": 200} if found == done else {}
    assert again.status_code == answers.get(page, well.status_code)
    assert state() == done


@pytest.fixture(autouse=True)
def carol(django_user_model, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast
    return django_user_model.objects.create_user("carol", password="a long one")
