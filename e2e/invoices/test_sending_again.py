"""What went wrong is told, what was chosen stays chosen, and nothing is saved twice."""

import re

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from playwright.sync_api import expect

from invoices.models import Invoice
from tests.serving import gunicorn

from ..signing_in import fill_in
from .files import MiB, noise, pdf, png
from .steps import eventually, upload

without_script = pytest.mark.browser_context_args(java_script_enabled=False)


def press(page):
    page.get_by_role("button", name="Upload", exact=True).click()


def chosen(page):
    return page.get_by_role("list", name="Chosen files").get_by_role("listitem")


def expect_saved(page, *names):
    expect(page.get_by_role("status")).to_contain_text("uploaded.")
    found = Invoice.objects.with_file().order_by("pk").values_list("original_name", flat=True)
    assert list(found) == list(names)


def test_a_refused_field_keeps_the_files(alices_page, sample):
    page = alices_page
    page.goto("/upload/")
    page.get_by_label("Amount in EUR").fill("-1")
    upload(page, sample("first.pdf", pdf()), sample("second.png", png()))
    expect(page.get_by_text("The amount cannot be negative.")).to_be_visible()
    for name in ["first.pdf", "second.png"]:
        expect(page.get_by_role("checkbox", name=name)).to_be_checked()
    page.get_by_label("Amount in EUR").fill("1")
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
    expect(page.get_by_text(re.compile(r"One file may have up to 1[.,]0\sKB."))).to_be_visible()


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
    Session.objects.all().delete()
    upload(page, sample("first.pdf", pdf()))
    status = page.get_by_role("status")
    expect(status).to_contain_text("You are signed out, and nothing was saved.")
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
    expect(page.get_by_role("status")).to_contain_text("You are signed in as bob now.")
    assert not Invoice.objects.exists()


def test_who_is_offline_reads_that(alices_page, sample, context):
    page = alices_page
    page.goto("/upload/")
    context.set_offline(True)
    upload(page, sample("first.pdf", pdf()))
    expect(page.get_by_role("status")).to_contain_text("You are offline.")
    context.set_offline(False)
    press(page)
    expect_saved(page, "first.pdf")


@pytest.mark.parametrize("change", ["unlink", "write"])
def test_a_file_that_is_not_what_was_chosen_is_named(change, alices_page, sample):
    page = alices_page
    page.goto("/upload/")
    first, second = sample("first.pdf", pdf()), sample("second.png", png())
    page.get_by_label("Files", exact=True).set_input_files([first, second])
    if change == "unlink":
        second.unlink()
    else:
        second.write_bytes(png(9, 9) + b"longer")
    press(page)
    expect(page.get_by_role("status")).to_contain_text("“second.png” cannot be read any more")
    page.get_by_role("button", name="Remove second.png").click()
    press(page)
    expect_saved(page, "first.pdf")


def test_a_folder_that_is_dropped_is_named_and_the_files_beside_it_are_taken(
    alices_page, sample, tmp_path
):
    page = alices_page
    page.goto("/upload/")
    folder = tmp_path / "Scans of March"
    folder.mkdir()
    box = page.get_by_label("Files", exact=True).bounding_box()
    files = [str(folder), str(sample("first.pdf", pdf()))]
    drag = {"x": box["x"] + 5, "y": box["y"] + 5}
    drag["data"] = {"items": [], "files": files, "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ["dragEnter", "dragOver", "drop"]:
        session.send("Input.dispatchDragEvent", {"type": kind, **drag})
    expect(page.get_by_role("status")).to_contain_text("“Scans of March” is a folder")
    expect(chosen(page)).to_contain_text(["first.pdf"])
    press(page)
    expect_saved(page, "first.pdf")


def test_what_the_server_refuses_can_be_sent_again(alices_page, sample):
    page = alices_page
    page.goto("/upload/")
    with connection.cursor() as cursor:
        cursor.execute("alter table django_session rename to elsewhere")
    try:
        upload(page, sample("first.pdf", pdf()))
        expect(page.get_by_role("status")).to_contain_text("Something went wrong here")
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
    page.get_by_label("New file").set_input_files(sample("new.bin", b"new"))
    page.get_by_role("button", name="Replace file").click()
    expect(page.get_by_role("status")).to_contain_text("There is no such page.")
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


def test_a_session_that_ends_while_much_is_sent_is_told(alices_page, sample, tmp_path):
    page = alices_page

    def end_the_session(route):
        answer = route.fetch()  # that all is well: then the browser begins to send
        page.context.clear_cookies()
        route.fulfill(response=answer)

    with gunicorn(tmp_path) as (_, address, _):
        page.goto(f"{address}/upload/")
        page.route("**/upload/", end_the_session, times=1)
        upload(page, sample("large.bin", noise(50 * MiB)))
        expect(page.get_by_role("status")).to_contain_text("You are signed out")
        expect(chosen(page)).to_contain_text(["large.bin"])
    assert not Invoice.objects.exists()
