"""The line breaks, the page is loaded again, the server says no: nothing is sent twice, or lost."""

import os
import threading

import pytest
from django.core.signals import request_started
from django.db.models.signals import post_delete
from playwright.sync_api import expect

from lo_storage.uploads.models import Upload

from .conftest import digests, save_all, saved, starts
from .steps import PIECE, Line, button, choose, row, rows, save


def test_after_a_reload_a_file_that_is_chosen_again_goes_on(many, large, requests):
    line = Line(many)
    line.choose(large)
    many.reload()
    expect(many.get_by_role("list", name="Interrupted before")).to_contain_text(
        "large.bin (640.0 KB). Stopped at 40 %."
    )
    choose(many, large)
    expect(rows(many)).to_contain_text("Goes on at 40 %.")
    expect(many.get_by_role("list", name="Interrupted before")).not_to_be_visible()
    line.open()
    save_all(many, large)
    assert starts(requests) == [0, PIECE, 2 * PIECE]


def test_tomorrow_in_another_tab_too(many, large, requests):
    line = Line(many)
    line.choose(large)
    other = many.context.new_page()
    many.close()  # What was held may come all the same.
    other.goto("/many/")
    choose(other, large)
    save_all(other, large)
    assert starts(requests).count(0) == 1


def test_what_came_whole_and_was_not_saved_is_offered_without_its_file(many, file, requests):
    scan = file()
    choose(many, scan, file("other.pdf"))
    expect(many.get_by_role("status")).to_contain_text("All has come: 2 files")
    beside = many.context.new_page()
    beside.goto("/many/")  # where nothing is offered: a tab has them
    choose(beside, file("third.pdf", b"third"))
    expect(rows(beside)).to_contain_text("Has come")
    expect(beside.get_by_role("list", name="Interrupted before")).not_to_be_visible()
    beside.close()
    many.reload()
    many.get_by_role("button", name="Take it: scan.pdf").click()
    expect(row(many, "scan.pdf")).to_contain_text("Has come")
    expect(button(many, "Remove", "scan.pdf")).to_be_focused()
    for name in ["other.pdf", "third.pdf"]:
        with many.expect_response(lambda response: response.request.method == "DELETE"):
            button(many, "Remove", name).click()
    save(many)
    expect(many.get_by_role("heading", name="Saved 1")).to_be_visible()
    assert saved() == digests(scan)
    assert [method for method, *_ in requests].count("POST") == 3
    many.goto("/many/")  # What was saved is forgotten.
    assert many.evaluate("Object.keys(localStorage).length") in {0, 1}
    expect(many.get_by_role("list", name="Interrupted before")).not_to_be_visible()


class Held:
    """Requests that the server has, and does not look at before `go_on()`."""

    def __init__(self):
        self.came, self.is_over = threading.Semaphore(0), threading.Event()
        self.go_on = self.is_over.set
        self.is_held = lambda environ: False

    def __call__(self, environ, **kwargs):
        if self.is_held(environ):
            self.came.release()
            self.is_over.wait()

    def wait(self):
        assert self.came.acquire(timeout=60)


@pytest.fixture
def held():
    held = Held()
    request_started.connect(held)
    yield held
    request_started.disconnect(held)
    held.go_on()


def test_what_is_removed_is_gone_though_the_page_is_closed_at_once(many, file, held):
    held.is_held = lambda environ: environ["QUERY_STRING"].startswith("busy")
    is_deleted = threading.Event()
    choose(many, file())
    expect(rows(many)).to_contain_text("Has come")
    # As many as a browser has lines to one server: what it sends next has to wait.
    many.evaluate("for (let i = 0; i < 6; i++) void fetch(`?busy=${i}`)")
    for _ in range(6):
        held.wait()
    post_delete.connect(lambda **kwargs: is_deleted.set(), Upload, weak=False, dispatch_uid="test")
    button(many, "Remove", "scan.pdf").click()
    many.close()
    came = is_deleted.wait(60)
    post_delete.disconnect(sender=Upload, dispatch_uid="test")
    assert came


@pytest.mark.parametrize("what", ["Remove", "Pause"])
def test_what_is_stopped_before_it_has_an_address_is_gone(what, many, large, held):
    held.is_held = lambda environ: environ["REQUEST_METHOD"] == "POST"
    choose(many, large)
    held.wait()
    button(many, what, "large.bin").click()
    with many.expect_response(lambda response: response.request.method == "DELETE"):
        held.go_on()
    assert not Upload.objects.exists()
    many.reload()
    expect(many.get_by_role("list", name="Interrupted before")).not_to_be_visible()


def test_a_saved_file_that_is_chosen_again_is_sent_again(many, file):
    scan = file()
    choose(many, scan)
    save_all(many, scan)
    many.goto("/many/")
    choose(many, scan)
    expect(rows(many)).to_contain_text("Has come")
    save(many)
    expect(many.get_by_role("heading", name="Saved 1")).to_be_visible()
    assert saved() == digests(scan, scan)


@pytest.mark.parametrize("problem", ["connectionreset", 429, 503])
def test_what_was_cut_goes_on_by_itself(problem, many, large, requests):
    line = Line(many)

    def cut(route):
        line.problem = cut  # for what the page says goes with the next answer
        if isinstance(problem, int):
            route.fulfill(status=problem)
        else:
            route.abort(problem)

    line.answers = [cut]
    choose(many, large)
    expect(rows(many)).to_contain_text("It tries again.")
    line.open()
    save_all(many, large)
    assert starts(requests) == [0, PIECE, 2 * PIECE]


def test_who_is_offline_is_told_and_goes_on_when_back(many, large, context, requests):
    line = Line(many)
    line.answers = [lambda route: (context.set_offline(True), route.abort("internetdisconnected"))]
    choose(many, large)
    expect(rows(many)).to_contain_text("You are offline. It goes on by itself once you are back.")
    line.is_open = True
    context.set_offline(False)
    save_all(many, large)
    assert starts(requests) == [0, PIECE, 2 * PIECE]


def test_a_slow_line_shows_rate_and_time_left(many, large):
    devtools = many.context.new_cdp_session(many)
    slow = {"offline": False, "latency": 20, "downloadThroughput": -1}
    devtools.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": 100 << 10})
    choose(many, large)
    expect(rows(many)).to_contain_text("KB/s")
    expect(rows(many)).to_contain_text("left")
    devtools.send("Network.emulateNetworkConditions", {**slow, "uploadThroughput": -1})
    save_all(many, large)


def test_a_proxy_that_takes_less_gets_smaller_pieces(many, large, requests):
    line = Line(many)
    line.answers, line.is_open = [lambda route: route.fulfill(status=413)], True
    choose(many, large)
    save_all(many, large)
    assert starts(requests) == [0, 2 * PIECE // 2, 3 * PIECE // 2, 4 * PIECE // 2]


def test_what_is_gone_begins_again_by_itself(many, large, requests):
    line = Line(many)
    line.choose(large)
    Upload.objects.all().delete()
    line.answer(lambda route: route.continue_())
    expect(rows(many)).to_contain_text("What had come is no longer there. It is sent again.")
    line.open()
    save_all(many, large)
    assert starts(requests) == [0, PIECE, 0, PIECE, 2 * PIECE]


def test_of_two_tabs_with_one_file_one_goes_on(many, large, requests):
    line = Line(many)
    line.choose(large)
    other = many.context.new_page()
    other.goto("/many/")
    held = Line(other)
    choose(other, large)
    expect(rows(other)).to_contain_text("Goes on at 40 %.")
    held.open()
    expect(rows(other)).to_contain_text("Has come")
    line.open()
    expect(rows(many)).to_contain_text("It goes on in another tab.")
    button(many, "Remove", "large.bin").click()  # That of the other tab stays.
    expect(rows(many)).to_have_count(0)
    save_all(other, large)
    assert starts(requests).count(0) == 1


def test_too_large_is_told_before_anything_is_sent(page_of, file, settings, requests):
    settings.LO_STORAGE_UPLOADS = {"MAX_SIZE": 10}
    page = page_of("/many/")
    choose(page, file("long.pdf", b"01234567890"))
    expect(rows(page)).to_contain_text("It has 11 bytes. One file may have up to 10 bytes.")
    assert "POST" not in [method for method, *_ in requests]
    save(page)
    expect(page.get_by_role("alert")).to_contain_text("“long.pdf” has not come.")
    expect(button(page, "Remove", "long.pdf")).to_be_focused()


def test_without_room_a_file_waits_until_there_is_some(many, file, settings):
    settings.LO_STORAGE_UPLOADS = {"QUOTA_NUMBER": 1}
    choose(many, file("one.pdf"))
    expect(rows(many)).to_contain_text("Has come")
    other = file("other.pdf", b"other")
    choose(many, other)
    expect(row(many, "other.pdf")).to_contain_text(
        "You have 1 uploads that no form has saved. Save or remove some first."
    )
    with many.expect_response(lambda response: response.request.method == "DELETE"):
        button(many, "Remove", "one.pdf").click()
    button(many, "Try again", "other.pdf").click()
    expect(rows(many)).to_contain_text("Has come")
    save_all(many, other)


def test_a_full_disk_is_told_and_goes_on_when_there_is_room(many, large, requests):
    line = Line(many)
    line.answers, line.is_open = [lambda route: route.fulfill(status=507)], True
    choose(many, large)
    expect(rows(many)).to_contain_text("There is no room for it now.")
    button(many, "Try again", "large.bin").click()
    save_all(many, large)
    assert starts(requests) == [0, PIECE, 2 * PIECE]


def test_a_file_that_vanished_is_told(many, large):
    line = Line(many)
    line.choose(large)
    button(many, "Pause", "large.bin").click()
    content = large.read_bytes()
    at = (large.stat().st_atime_ns, large.stat().st_mtime_ns)
    large.unlink()
    line.is_open = True
    button(many, "Go on", "large.bin").click()
    expect(rows(many)).to_contain_text("It cannot be read any more: it was moved, changed or")
    large.write_bytes(content)
    os.utime(large, ns=at)
    choose(many, large)
    expect(rows(many)).to_have_count(1)
    save_all(many, large)
