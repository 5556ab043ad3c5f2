"""What goes wrong for a while is tried again by itself, and what a person does meanwhile holds."""

from base64 import b64encode

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import expect

from lo_storage.uploads.models import Upload

from .conftest import digests, save_all, saved, starts
from .steps import PIECE, Line, button, choose, row, rows, save


class Questions:
    """What becomes of a page's question who is signed in: held, unless a test says otherwise."""

    def __init__(self, page):
        self.held, self.answers = [], []
        page.route("**/uploads/", self._handle)

    def _handle(self, route):
        if route.request.method != "OPTIONS" or self.answers is None:
            route.continue_()
        elif self.answers:
            self.answers.pop(0)(route)
        else:
            self.held.append(route)

    def answer(self):
        self.answers = None
        for route in self.held:
            route.continue_()


def no_answer(route):
    route.abort("namenotresolved")


def test_a_first_question_without_an_answer_is_asked_again(many, file):
    questions = Questions(many)
    questions.answers = [no_answer, no_answer]
    scan = file()
    choose(many, scan)
    expect(rows(many)).to_contain_text("It tries again.")
    questions.answer()
    save_all(many, scan)


def test_back_online_where_no_name_is_found_yet(many, large, context, requests):
    line = Line(many)
    line.answers = [lambda route: (context.set_offline(True), route.abort("internetdisconnected"))]
    choose(many, large)
    expect(rows(many)).to_contain_text("You are offline.")
    questions = Questions(many)
    questions.answers = [no_answer, no_answer]
    context.set_offline(False)
    expect(rows(many)).to_contain_text("It tries again.")
    questions.answer()
    line.is_open = True
    save_all(many, large)
    assert starts(requests) == [0, PIECE, 2 * PIECE]


def test_a_session_that_ended_while_the_line_was_broken_is_told(many, large):
    line = Line(many)
    line.choose(large)
    Session.objects.all().delete()
    line.answer(lambda route: route.abort("connectionreset"))
    expect(rows(many)).to_contain_text("You are signed out. Sign in in another tab")
    expect(rows(many).get_by_role("link", name="Sign in")).to_be_visible()


def test_it_is_tried_for_as_long_as_the_page_is_open(many, file):
    many.clock.install()  # A person would wait for minutes.
    asked = []

    def refuse(route):
        asked.append(route.request.method)
        route.fulfill(status=502)

    many.route("**/uploads/", refuse)
    scan = file()
    choose(many, scan)
    expect(rows(many)).to_contain_text("It tries again.")
    for _ in range(12):
        with many.expect_response("**/uploads/"):
            many.clock.fast_forward(60_000)
        expect(button(many, "Try again", "scan.pdf")).to_be_visible()
    assert len(asked) >= 13
    many.unroute("**/uploads/")
    many.clock.fast_forward(60_000)
    save_all(many, scan)


def test_who_says_when_to_come_again_is_asked_no_sooner(many, file):
    many.clock.install()
    scan, other = file(), file("other.txt")
    asked = []

    def refuse(route):
        if b64encode(b"scan.pdf").decode() not in route.request.headers.get("upload-metadata", ""):
            return route.continue_()
        asked.append(route.request)
        return route.fulfill(status=429, headers={"Retry-After": "600"})

    many.route("**/uploads/", refuse)
    choose(many, scan)
    expect(rows(many)).to_contain_text("It tries again.")
    many.clock.fast_forward(300_000)
    choose(many, other)
    expect(row(many, "other.txt")).to_contain_text("Has come")
    assert len(asked) == 1
    many.unroute("**/uploads/")
    many.clock.fast_forward(300_000)
    save_all(many, scan, other)


def test_what_is_held_keeps_its_place_and_the_others_wait(many, file):
    asked = []

    def refuse(route):
        asked.append(route.request.method)
        route.abort("connectionreset")

    many.route("**/uploads/", refuse)
    files = [file(f"{n}.pdf", b"%d" % n) for n in range(8)]
    choose(many, *files)
    expect(row(many, "0.pdf")).to_contain_text("It tries again.")
    expect(row(many, "7.pdf")).to_contain_text("Waits for its turn")
    expect(rows(many).filter(has_text="It tries again.")).to_have_count(3)
    many.unroute("**/uploads/")
    save_all(many, *files)


def test_an_older_request_of_one_s_own_that_came_late_stops_nothing(many, large, requests):
    line = Line(many)
    line.answers, line.is_open = [lambda route: route.fulfill(status=409)], True
    choose(many, large)
    save_all(many, large)
    assert starts(requests) == [0, PIECE, 2 * PIECE]


def test_who_is_told_so_twice_waits_for_the_other(many, large):
    line = Line(many)
    line.answers = [lambda route: route.fulfill(status=409)] * 2
    choose(many, large)
    expect(rows(many)).to_contain_text("It goes on in another tab.")
    line.is_open = True
    button(many, "Go on", "large.bin").click()
    save_all(many, large)


def test_pressed_again_and_again_it_begins_once(many, file, requests):
    questions = Questions(many)
    scan = file()
    choose(many, scan)
    for _ in range(3):
        button(many, "Pause", "scan.pdf").click()
        button(many, "Go on", "scan.pdf").click()
    questions.answer()
    expect(rows(many)).to_contain_text("Has come")
    assert [method for method, *_ in requests].count("POST") == 1
    save_all(many, scan)


def test_paused_and_told_to_go_on_at_once_it_is_sent_once(many, large, requests):
    line = Line(many)
    line.choose(large)
    toggle = "button => { for (let n = 0; n < 6; n += 1) button.click(); }"
    button(many, "Pause", "large.bin").evaluate(toggle)
    line.open()
    expect(rows(many)).to_contain_text("Has come")
    assert starts(requests) == [0, PIECE, 2 * PIECE]
    save_all(many, large)


def test_what_is_removed_before_it_has_begun_is_not_sent(many, file, requests):
    questions = Questions(many)
    choose(many, file(), file("other.pdf", b"other"))
    button(many, "Remove", "scan.pdf").click()
    button(many, "Pause", "other.pdf").click()
    with many.expect_response("**/uploads/"):
        questions.answer()
    expect(rows(many)).to_contain_text("Paused")
    assert "POST" not in [method for method, *_ in requests]


def test_a_form_that_waits_is_sent_without_what_is_removed(many, large, file):
    line = Line(many)
    small = file()
    line.choose(large, small)
    expect(row(many, "scan.pdf")).to_contain_text("Has come")
    save(many)
    expect(many.get_by_role("status")).to_contain_text("Saving when all has come.")
    button(many, "Remove", "large.bin").click()
    expect(many.get_by_role("heading", name="Saved 1")).to_be_visible()
    Upload.objects.all().delete()  # the removed one, if the page was left before it was told
    assert saved() == digests(small)


def test_in_a_field_of_one_file_it_goes_on_when_it_is_chosen_again(page_of, file, requests):
    page = page_of("/one/")
    piece = 8 << 20
    content = bytes(10 << 20)
    large = file("large.bin", content)
    Line(page)
    with page.expect_request(lambda it: it.headers.get("upload-offset") == str(piece)):
        choose(page, large, label="File")
    button(page, "Pause", "large.bin").click()
    choose(page, large, label="File")
    expect(rows(page)).to_contain_text("Goes on at 80 %.")
    expect(rows(page)).to_have_count(1)
    assert starts(requests) == [0]
    assert Upload.objects.get().received == piece


def test_one_that_is_too_large_takes_no_place(page_of, file, settings):
    settings.LO_STORAGE_UPLOADS = {"MAX_SIZE": 10}
    page = page_of("/one/")
    good = file()
    choose(page, good, label="File")
    expect(rows(page)).to_contain_text("Has come")
    choose(page, file("long.pdf", b"01234567890"), label="File")
    expect(row(page, "long.pdf")).to_contain_text("One file may have up to 10 bytes.")
    expect(row(page, "scan.pdf")).to_contain_text("Has come")
    button(page, "Remove", "long.pdf").click()
    save_all(page, good)


@pytest.mark.parametrize("address", ["/one/", "/many/"])
def test_a_file_of_equal_name_and_size_is_another_one(address, page_of, file, requests):
    page = page_of(address)
    label = "File" if address == "/one/" else "Files"
    choose(page, file(content=b"content"), label=label)
    expect(rows(page)).to_contain_text("Has come")
    page.reload()
    new = file(content=b"another")  # written later
    choose(page, new, label=label)
    expect(rows(page)).to_contain_text("Has come")
    before = page.get_by_role("list", name="Interrupted before")
    with page.expect_response(lambda response: response.request.method == "DELETE"):
        before.get_by_role("button", name="Remove scan.pdf").click()
    save_all(page, new)
