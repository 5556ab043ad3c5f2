"""A browser that shows the end of a long file asks for the end of it."""

import json
import re
from contextlib import contextmanager

import pytest
from django.core.files.base import ContentFile
from django.db import connection

from lo_storage.storage import db_file_storage
from tests.serving import gunicorn

from .long_files import document, film
from .steps import colour, eventually

LINE = "--access-logformat=sent %(s)s %({range}i)s %(B)s of %(U)s"


@pytest.fixture
def serving(tmp_path, transactional_db):
    """A server; yields its address, and a function that reads in its log what it sent.

    The function returns (status, Range, bytes of the content) of each answer about a file.
    """

    @contextmanager
    def serving(application="config.wsgi"):
        with gunicorn(tmp_path, "--access-logfile=-", LINE, application=application) as started:
            _, address, log = started
            about_files = re.compile(r"^sent (\d+) (\S+) (\d+) of (?!/static/|/$)", re.M)
            yield (
                address,
                lambda: [
                    (int(status), asked, int(size))
                    for status, asked, size in about_files.findall(log.read_text())
                ],
            )

    return serving


def end_alone(answers, size):
    """Whether one of the answers is a part that begins in the last tenth of `size` bytes."""
    return any(
        status == 206 and 0.9 * size < int(re.search(r"\d+", asked)[0]) < size
        for status, asked, _ in answers
    )


def sent_at_all(answers, size):
    """How many of the bytes were sent, be it once or, for what plays meanwhile, more often."""
    sent = bytearray(size)
    for _, asked, length in answers:
        start = 0 if asked == "-" else int(re.search(r"\d+", asked)[0])
        sent[start : start + length] = b"\1" * length
    return sent.count(1)


# What no script of the page needs, because there none may run.
LOOK = """() => {
  const video = document.querySelector("video");
  return video && [video.readyState, video.seeking, video.duration, video.currentTime];
}"""
SEEK = """(seconds) => {
  const video = document.querySelector("video");
  video.pause();
  video.currentTime = seconds;
}"""
SHOW = """(address) => {
  const video = Object.assign(document.createElement("video"), { src: address, preload: "auto" });
  video.style = "position: fixed; inset: 0; width: 640px; z-index: 9";
  document.body.append(video);
}"""


@pytest.mark.parametrize("where", ["by its address", "in a page"])
def test_a_film_is_shown_near_its_end_without_what_comes_before(
    where, alices_page, alice, invoice_of, serving
):
    page, content = alices_page, film(seconds=480, last=4)
    file = invoice_of(alice, content, "film.webm").data.url
    with serving() as (address, sent):
        if where == "in a page":
            page.goto(address)
            page.evaluate(SHOW, file)
        else:
            page.goto(address + file)
        eventually(lambda: (seen := page.evaluate(LOOK)) and seen[0] >= 2)
        page.evaluate(SEEK, 478.5)
        eventually(lambda: page.evaluate(LOOK) == [4, False, 480, 478.5])
        box = page.locator("video").bounding_box()
        assert all(190 < part < 210 for part in colour(page, box["x"] + 100, box["y"] + 100))
        page.goto("about:blank")
        eventually(lambda: end_alone(sent(), len(content)))
        assert sent_at_all(sent(), len(content)) < 0.9 * len(content), sent()


@pytest.fixture
def viewer(browser_type, whole_launch_args):
    """A page of a browser whose own viewer asks for parts of a document.

    Chromium's has it switched off, and then asks without the cookie.
    """
    switches = [
        *whole_launch_args["args"],
        "--enable-features=PdfPartialLoading,PdfIncrementalLoading",
    ]
    with browser_type.launch(**{**whole_launch_args, "args": switches}) as browser:
        yield browser.new_page()


def test_the_last_page_of_a_document_is_asked_for_before_those_between(
    viewer, serving, monkeypatch
):
    content = document(pages=60)
    name = db_file_storage.save("scans.pdf", ContentFile(content))
    names = ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT")
    database = {name: connection.settings_dict[name] for name in names}
    monkeypatch.setenv("SITE", json.dumps({"DATABASES": {"default": database}}))
    with serving("tests.streaming_site:wsgi") as (address, sent):
        viewer.goto(f"{address.replace('localhost', '127.0.0.1')}/{name}#page=60")
        eventually(lambda: colour(viewer, 640, 500) == (255, 0, 0))
        assert end_alone(sent(), len(content))
        (whole,) = (size for status, _, size in sent() if status == 200)
        assert whole < 0.9 * len(content), sent()
