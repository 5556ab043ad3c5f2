"""Whatever goes wrong with an upload, it leaves the rows and the large objects that were there."""

import os
import signal

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models.signals import post_save
from django.utils import timezone
from playwright.sync_api import Error, expect

from invoices.models import Invoice
from lo_storage.uploads.models import Upload
from tests.serving import gunicorn

from .files import MiB, noise, pdf, png
from .steps import eventually, foot, invoice_of_file, said, upload


@pytest.fixture
def before(alice, invoice_of, snapshot):
    """What was there: an invoice of last year."""
    invoice_of(alice, b"already here", "old.txt", number="2025-0001", issued="2025-12-01")
    return snapshot()


@pytest.fixture
def batch(sample):
    """Two good files; the second is written in more than one piece."""
    return sample("first.pdf", pdf()), sample("second.bin", noise(3 * MiB))


def test_a_batch_of_which_one_is_invalid_leaves_nothing(
    alices_page, before, batch, sample, snapshot
):
    page = alices_page
    page.goto("/upload/")
    # The browser cannot know this, so all of it is sent.
    page.get_by_label("Amount in EUR").fill("-1")
    upload(page, *batch)
    expect(page.get_by_role("alert")).to_contain_text("Nothing was saved")
    expect(page.get_by_text("The amount cannot be negative.").first).to_be_visible()
    assert snapshot() == before


def test_a_batch_that_the_database_refuses_at_commit_leaves_nothing(
    alices_page, before, sample, snapshot, transactional_db
):
    page = alices_page
    # Only known titles; checked when the transaction commits, as this application does not expect.
    with connection.cursor() as cursor:
        cursor.execute("create table e2e_title (title varchar(200) primary key)")
        cursor.execute("insert into e2e_title values ('first'), ('second')")
        cursor.execute(
            "alter table invoices_invoice add constraint e2e_known_title foreign key (title)"
            " references e2e_title deferrable initially deferred not valid"
        )
    try:
        page.goto("/upload/")
        known = sample("first.png", png()), sample("second.bin", noise(3 * MiB))
        upload(page, *known, sample("third.png", png()))
        expect(page.get_by_role("alert")).to_contain_text("The database refused this")
        expect(foot(page)).to_have_text(["1", "1", "0", "3"])
        assert snapshot() == before
        # Without the one that was refused, the others are saved.
        with page.expect_response(lambda response: response.request.method == "DELETE"):
            page.get_by_role("button", name="Remove third.png").click()
        page.get_by_role("button", name="Upload", exact=True).click()
        expect(page.get_by_role("status").first).to_have_text("2 invoices were uploaded.")
        expect(foot(page)).to_have_text(["3", "3", "0"])
    finally:
        with connection.cursor() as cursor:
            cursor.execute("alter table invoices_invoice drop constraint e2e_known_title")
            cursor.execute("drop table e2e_title")


def test_an_exception_in_a_later_receiver_leaves_nothing(alices_page, before, batch, snapshot):
    page = alices_page
    seen = []

    def later(sender, instance, **kwargs):
        seen.append((instance.title, instance.data.storage.exists(instance.data.name)))
        if instance.title == "second":
            raise RuntimeError("a receiver of another application fails")

    post_save.connect(later, sender=Invoice)
    try:
        page.goto("/upload/")
        upload(page, *batch)
        expect(said(page, "Something went wrong here")).to_be_visible()
    finally:
        post_save.disconnect(later, sender=Invoice)
    assert seen == [("first", True), ("second", True)]  # both files had been written
    assert snapshot() == before


def send_slowly(page):
    """Let this page send 200 KB a second, so that a test can come in between."""
    page.context.new_cdp_session(page).send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 200_000},
    )


def in_the_middle(staged):
    """Whether the second file, of 4 MiB, is there in part."""
    return 0 < staged.get("second.bin", 0) < 4 * MiB


def test_a_browser_that_goes_away_in_the_middle_leaves_nothing(
    launch_browser, base_url, alice, sign_in, before, sample, staged, snapshot
):
    with launch_browser() as browser:
        page = browser.new_page(base_url=base_url)
        sign_in(page.context, alice)
        page.goto("/upload/")
        send_slowly(page)
        upload(page, sample("first.bin", noise(100 * 1024)), sample("second.bin", noise(4 * MiB)))
        eventually(lambda: in_the_middle(staged()))
        # A crash, because a page that is closed may still send all that is left at once.
        with pytest.raises(Error, match="has been closed"):
            browser.new_browser_cdp_session().send("Browser.crash")
    assert snapshot() == before
    # What had come waits for somebody to go on, until its date is past.
    Upload.objects.update(expires_at=timezone.now())
    eventually(lambda: call_command("lo_expire") or not staged())


def test_an_upload_that_is_removed_leaves_nothing(alices_page, before, sample, staged, snapshot):
    page = alices_page
    page.goto("/upload/")
    send_slowly(page)
    page.get_by_label("Files", exact=True).set_input_files(sample("second.bin", noise(4 * MiB)))
    eventually(lambda: in_the_middle(staged()))
    page.get_by_role("button", name="Remove second.bin").click()
    expect(invoice_of_file(page, "second.bin")).to_have_count(0)
    eventually(lambda: not staged())
    assert snapshot() == before
    expect(page.get_by_role("button", name="Upload", exact=True)).to_be_enabled()


@pytest.fixture
def stopped_in_the_middle(alice, other_session):
    """Make the server wait inside its transaction, for the number of the second invoice.

    The other session has inserted it, and neither commits nor rolls back. Yields a function that
    waits for the server to wait, and returns the process of its database session.
    """
    with other_session.cursor() as cursor:
        cursor.execute(
            "insert into invoices_invoice (owner_id, number, title, issued, created_at)"
            " values (%s, '2026-0002', '', '2026-01-02', now())",
            [alice.pk],
        )

    def waiting():
        # A session keeps this lock from its first file to its transaction's end.
        with connection.cursor() as cursor:
            cursor.execute(
                """
                select session.pid
                  from pg_stat_activity session
                  join pg_locks on pg_locks.pid = session.pid
                 where session.datname = current_database()
                   and session.wait_event_type = 'Lock'
                   and session.query like 'INSERT INTO "invoices_invoice"%'
                   and relation = 'lo_storage_largeobject'::regclass
                   and mode = 'RowExclusiveLock'
                   and granted
                """
            )
            return [pid for (pid,) in cursor.fetchall()]

    return lambda: eventually(waiting)[0]


def sessions():
    with connection.cursor() as cursor:
        cursor.execute("select pid from pg_stat_activity where datname = current_database()")
        return {pid for (pid,) in cursor.fetchall()}


def send(page, batch, server=""):
    page.goto(f"{server}/upload/")
    page.get_by_label("Date of issue").fill("2026-03-02")
    upload(page, *batch)


def test_a_server_that_is_killed_in_the_middle_leaves_nothing(
    alices_page, before, batch, stopped_in_the_middle, other_session, snapshot, staged, tmp_path
):
    page = alices_page
    with gunicorn(tmp_path) as (group, address, _):
        send(page, batch, address)
        session = stopped_in_the_middle()
        os.killpg(group, signal.SIGKILL)
        broken = "The connection broke. Send this again: nothing is saved twice."
        expect(said(page, broken)).to_be_visible()
    other_session.rollback()
    eventually(lambda: session not in sessions())
    assert snapshot() == before
    assert set(staged()) == {"first.pdf", "second.bin"}  # What had arrived, until its date is past

    with gunicorn(tmp_path) as (_, address, _):
        send(page, batch, address)
        expect(page.get_by_role("status").first).to_have_text("2 invoices were uploaded.")
        expect(foot(page)).to_have_text(["3", "3", "0", "2"])


def test_a_database_session_that_ends_in_the_middle_leaves_nothing(
    alices_page, before, batch, stopped_in_the_middle, other_session, snapshot
):
    page = alices_page
    send(page, batch)
    session = stopped_in_the_middle()
    with connection.cursor() as cursor:
        cursor.execute("select pg_terminate_backend(%s)", [session])
    expect(page.get_by_role("alert")).to_contain_text("Nothing was changed; try again.")
    other_session.rollback()
    assert snapshot() == before


def test_a_number_that_was_taken_in_the_meantime_leaves_nothing(
    alices_page, alice, batch, stopped_in_the_middle, other_session, snapshot
):
    page = alices_page
    send(page, batch)
    stopped_in_the_middle()
    other_session.commit()
    expect(page.get_by_role("alert")).to_contain_text("You have another invoice with this number.")
    assert not snapshot().objects
    assert Invoice.objects.get().number == "2026-0002"


def test_a_browser_that_goes_away_after_all_was_sent_leaves_rows_with_their_files(
    alices_page, before, batch, stopped_in_the_middle, other_session, snapshot
):
    page = alices_page
    send(page, batch)
    session = stopped_in_the_middle()
    page.close()
    other_session.rollback()
    eventually(lambda: session not in sessions())
    now = snapshot()
    assert [len(part) for part in now] == [3, 3, 3]
    assert now.objects.items() > before.objects.items()
