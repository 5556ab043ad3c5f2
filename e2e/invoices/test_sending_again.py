"""What went wrong is told, what was chosen stays chosen, and nothing is saved twice."""

import re

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from playwright.sync_api import expect

from invoices.models import Invoice
from tests.serving import gunicorn

from ..signing_in import fill_in
from ..uploads.steps import Line
from .files import MiB, noise, pdf, png
from .steps import choose, eventually, foot, said, upload

without_script = pytest.mark.browser_context_args(java_script_enabled=False)


def press(page):
    page.get_by_role("button", name="Upload", exact=True).click()


def chosen(page):
    return page.get_by_role("list", name="Files to save").get_by_role("listitem")


def expect_saved(page, *names):
    expect(page.get_by_role("status").first).to_contain_text("uploaded.")
    found = Invoice.objects.with_entries().order_by("pk")
    assert [invoice.data.entry.original_name for invoice in found] == list(names)


def test_the_foot_of_the_page_counts_what_waits_and_what_was_saved(alices_page, sample):
    page = alices_page
    page.goto("/upload/")
    line = Line(page)
    with page.expect_request(lambda it: it.headers.get("upload-offset") == str(8 * MiB)):
        page.get_by_label("Files", exact=True).set_input_files(sample("large.bin", noise(10 * MiB)))
    beside = page.context.new_page()
    beside.goto("/")
    expect(foot(beside)).to_have_text(["0", "0", "0", "1"])  # It is held, and waits.
    beside.close()
    line.open()
    expect(said(page, "All has come").first).to_be_visible()
    page.get_by_label("Amount in EUR").first.fill("-1")
    press(page)
    expect(page.get_by_role("alert")).to_contain_text("Nothing was saved")
    expect(foot(page)).to_have_text(["0", "0", "0", "1"])
    page.get_by_label("Amount in EUR").first.fill("1")
    press(page)
    expect_saved(page, "large.bin")
    expect(foot(page)).to_have_text(["1", "1", "0"])


def test_a_refused_field_keeps_the_files(alices_page, sample):
    page = alices_page
    page.goto("/upload/")
    page.get_by_label("Amount in EUR").fill("-1")
    upload(page, sample("first.pdf", pdf()), sample("second.png", png()))
    expect(page.get_by_text("The amount cannot be negative.").first).to_be_visible()
    for name in ["first.pdf", "second.png"]:
        expect(page.get_by_role("listitem").filter(has_text=name)).to_be_visible()
    for row in page.get_by_role("group").filter(has_text="The amount cannot").all():
        row.get_by_label("Amount in EUR").fill("1")
    press(page)
    expect_saved(page, "first.pdf", "second.png")


def test_a_refused_file_stays_with_what_the_server_says_of_it(
    alices_page, alice, invoice_of, sample, settings
):
    page = alices_page
    invoice = invoice_of(alice, b"old")
    page.goto(f"/{invoice.pk}/replace/")
    # since the page was opened, so that the browser lets it go
    settings.LO_STORAGE_UPLOADS = {**settings.LO_STORAGE_UPLOADS, "MAX_SIZE": 1024}
    page.get_by_label("New file").set_input_files(sample("new.bin", noise(2048)))
    page.get_by_role("button", name="Replace file").click()
    told = page.get_by_text(re.compile(r"One file may have up to 1[.,]0\sKB."))
    expect(told.first).to_be_visible()


@without_script
def test_without_script_a_refused_field_keeps_the_files(alices_page, sample):
    test_a_refused_field_keeps_the_files(alices_page, sample)


def waiting():
    """How many sessions wait for another."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from pg_stat_activity"
            " where datname = current_database() and wait_event_type = 'Lock'"
        )
        return cursor.fetchone()[0]


@without_script
def test_a_second_click_without_script_saves_once(alices_page, alice, other_session, sample):
    page = alices_page
    page.goto("/upload/")
    page.get_by_label("Files", exact=True).set_input_files(sample("first.pdf", pdf()))
    with other_session.cursor() as cursor:  # the server is slow: it waits for Alice's row
        table = alice._meta.db_table
        cursor.execute(f"select from {table} where id = %s for update", [alice.pk])
    button = page.get_by_role("button", name="Upload", exact=True)
    button.scroll_into_view_if_needed()
    box = button.bounding_box()
    for clicks in [1, 2]:
        page.mouse.click(box["x"] + 5, box["y"] + 5)  # who is told to click waits for the answer
        eventually(lambda clicks=clicks: waiting() == clicks)
    other_session.rollback()
    expect_saved(page, "first.pdf")


def test_a_double_click_with_script_saves_once(alices_page, sample):
    page = alices_page
    page.goto("/upload/")
    press_twice = "button => { button.click(); button.click(); }"
    page.get_by_label("Files", exact=True).set_input_files(sample("first.bin", noise(3 * MiB)))
    page.get_by_role("button", name="Upload", exact=True).evaluate(press_twice)
    expect_saved(page, "first.bin")


def test_who_was_signed_out_signs_in_beside_it_and_sends_again(alices_page, sample, context):
    page = alices_page
    page.goto("/upload/")
    choose(page, sample("first.pdf", pdf()))
    Session.objects.all().delete()
    press(page)
    status = said(page, "You are signed out, and nothing was saved.")
    with context.expect_page() as opened:
        status.get_by_role("link", name="Sign in in another tab").click()
    beside = opened.value
    fill_in(beside, "a long one")
    expect(beside.get_by_role("heading", name="Upload invoices")).to_be_visible()
    beside.close()
    press(page)
    expect_saved(page, "first.pdf")
    # The other form of the page has the new token, too.
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_files_do_not_go_to_whoever_signed_in_since(alices_page, sample, context, bob, sign_in):
    page = alices_page
    page.goto("/upload/")
    sign_in(context, bob)
    upload(page, sample("first.pdf", pdf()))
    expect(said(page, "You are signed in as bob now.")).to_be_visible()
    assert not Invoice.objects.exists()


def test_who_is_offline_reads_that(alices_page, sample, context):
    page = alices_page
    page.goto("/upload/")
    choose(page, sample("first.pdf", pdf()))
    context.set_offline(True)
    press(page)
    expect(said(page, "You are offline.")).to_be_visible()
    context.set_offline(False)
    press(page)
    expect_saved(page, "first.pdf")


def test_what_the_server_refuses_can_be_sent_again(alices_page, sample):
    page = alices_page
    page.goto("/upload/")
    choose(page, sample("first.pdf", pdf()))
    with connection.cursor() as cursor:
        cursor.execute("alter table django_session rename to elsewhere")
    try:
        press(page)
        expect(said(page, "Something went wrong here")).to_be_visible()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("alter table elsewhere rename to django_session")
    press(page)
    expect_saved(page, "first.pdf")


def test_an_invoice_that_was_deleted_meanwhile_takes_no_file(
    alices_page, alice, invoice_of, sample
):
    page = alices_page
    invoice = invoice_of(alice, b"old")
    page.goto(f"/{invoice.pk}/replace/")
    Invoice.objects.all().delete()
    choose(page, sample("new.bin", b"new"), label="New file")
    page.get_by_role("button", name="Replace file").click()
    expect(said(page, "There is no such page.")).to_be_visible()
    expect(chosen(page)).to_contain_text(["new.bin"])


@without_script
def test_who_was_signed_out_and_sends_much_without_script_gets_the_page(
    alices_page, sample, tmp_path
):
    page = alices_page
    with gunicorn(tmp_path) as (_, address, _):
        page.goto(f"{address}/upload/")
        Session.objects.all().delete()
        upload(page, sample("large.bin", noise(50 * MiB)))
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert not Invoice.objects.exists()


def test_a_session_that_ends_at_the_last_moment_is_told(alices_page, sample):
    page = alices_page

    def end_the_session(route):
        answer = route.fetch()  # that all is well: then the browser sends the form
        page.context.clear_cookies()
        route.fulfill(response=answer)

    page.goto("/upload/")
    choose(page, sample("first.pdf", pdf()))
    page.route("**/upload/", end_the_session, times=1)
    press(page)
    expect(said(page, "You are signed out")).to_be_visible()
    expect(chosen(page)).to_contain_text(["first.pdf"])
    assert not Invoice.objects.exists()
