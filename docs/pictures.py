"""Take the pictures of docs/ from the running demo, in a real browser: bin/pictures [--check].

Each holds the words that it shows. With --check those in docs/ stay, and it is told which of them
have other words, or look otherwise.
"""

import os
import re
import sys
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image, ImageChops, ImageStat
from PIL.PngImagePlugin import PngInfo

HERE = Path(__file__).resolve().parent
FILES = [
    {
        "name": "March rent.pdf",
        "mimeType": "application/pdf",
        "buffer": b"%PDF-1.7" + bytes(90_000),
    },
    {
        "name": "electricity-march.csv",
        "mimeType": "text/csv",
        "buffer": b"day,kWh\n" + b"1,8\n" * 600,
    },
]
PIECE = 8 * 1024**2  # what a page sends at once


def fill_in(page, failure):
    """Open the form, and say how the transaction shall fail."""
    page.goto("/upload/")
    page.get_by_role("group", name="For all files").get_by_label("Title").fill("March")
    page.get_by_label(failure).check()
    return page.get_by_label("Files", exact=True)


def choose(page, files):
    """Choose one after the other: the first has the lower number."""
    for number, file in enumerate(FILES, 1):
        files.set_input_files(file)
        page.get_by_text(f"All has come: {number} file").wait_for()
    page.get_by_text("Preview").wait_for()


def screenshot(page):
    choose(page, fill_in(page, "Let the database refuse at COMMIT"))
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("heading", name="Nothing was left behind.").wait_for()


def uploading(page):
    choose(page, fill_in(page, "Raise an exception"))


def hold(page, then):
    """Let the first piece of a file come, and do something else with the next."""

    def handle(route):
        if route.request.headers.get("upload-offset", "0") == "0":
            route.continue_()
        else:
            then(route)

    page.route(re.compile("/uploads/[-0-9a-f]{36}/$"), handle)


@contextmanager
def large(name, pieces):
    """A file that has its place on the disk, and takes none."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.touch()
        os.truncate(path, pieces * PIECE)
        yield path


def small(page):
    """Open the form in a window that shows no more of it than the files."""
    page.set_viewport_size({"width": 900, "height": 640})
    page.goto("/upload/")
    return page.get_by_label("Files", exact=True)


def cut(page):
    """The line breaks, and another file is too large."""
    files = small(page)
    files.set_input_files(FILES[0])
    page.get_by_text("Preview").wait_for()

    def lose(route):
        page.context.set_offline(True)
        route.abort("internetdisconnected")

    hold(page, lose)
    with large("viewing.mp4", 3) as path:
        files.set_input_files(path)
        page.get_by_text("You are offline").first.wait_for()
    with large("backup.zip", 15) as path:
        files.set_input_files(path)
        page.get_by_text("One file may have up to").first.wait_for()
    return page.get_by_role("list", name="Files to save")


def resumed(page):
    """The page was loaded again: one file came whole, and the other goes on."""
    files = small(page)
    files.set_input_files(FILES[0])
    page.get_by_text("All has come").wait_for()
    hold(page, lambda route: None)
    with large("viewing.mp4", 3) as path:
        with page.expect_request(lambda it: it.headers.get("upload-offset") == str(PIECE)):
            files.set_input_files(path)
        page.reload()
        page.get_by_text("Stopped at").first.wait_for()
        files.set_input_files(path)
        page.get_by_text("Goes on at").first.wait_for()
    return page.locator(".uploads")


def kept(page):
    """A mistake in one row."""
    choose(page, small(page))
    row = page.get_by_role("group", name="Invoice of March rent.pdf")
    row.get_by_label("Amount in EUR").fill("a lot")
    page.get_by_role("button", name="Upload").click()
    page.get_by_text("No file has to be sent again.").wait_for()


def saved(page):
    files = small(page)
    page.get_by_role("group", name="For all files").get_by_label("Date").fill("2026-06-30")
    choose(page, files)
    page.set_viewport_size({"width": 1180, "height": 540})
    page.get_by_role("button", name="Upload").click()
    page.get_by_text("2 invoices were uploaded.").wait_for()


def admin(page):
    page.goto("/admin/lo_storage/largeobject/")


def toolbar(page):
    page.context.add_cookies([{"name": "toolbar", "value": "1", "url": page.url}])
    # Sent by the form itself, the upload is a page, and so has a toolbar of its own.
    page.route(
        "**/*.js",
        lambda route: route.abort() if "toolbar" not in route.request.url else route.continue_(),
    )
    fill_in(page, "Raise an exception").set_input_files(FILES)
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("heading", name="Nothing was left behind.").wait_for()
    page.locator("#djShowToolBarButton").click()
    page.get_by_role("link", name="Large objects").click()
    page.get_by_role("cell", name="stage").first.wait_for()


def statistics(page):
    """Of two years. It comes last: no other picture has these files."""
    from django.core.files.base import ContentFile
    from django.db import connection

    from lo_storage.models import LargeObject
    from lo_storage.storage import db_file_storage

    month = LargeObject.objects.latest("created_at").created_at.replace(day=1)
    for number in range(24):
        month = (month - timedelta(days=1)).replace(day=1)
        suffix, size = ("pdf", "png", "csv")[number % 3], 300_000 * (30 - number + 4 * number % 9)
        name = db_file_storage.save(f"{month:%Y-%m}.{suffix}", ContentFile(bytes(size)))
        LargeObject.objects.filter(name=name).update(created_at=month)
    connection.close()  # that of Playwright's loop
    admin(page)
    page.get_by_role("link", name="Statistics").click()
    # Below the picture, and another each time: when VACUUM was there, and what it would find.
    page.get_by_role("region", name="On disk").evaluate("table => table.remove()")


TAKES = (screenshot, uploading, admin, toolbar, cut, resumed, kept, saved, statistics)
PICTURES = {f"{take.__name__}.png": take for take in TAKES}


# Numbers of objects, sizes, days and times
CHANGING = re.compile(r"\d+ \w{3} \d{4}, .*|\d[\d.,]*")
COLOURS = 128
# Of 255, on average: longer numbers move a column, by up to 3.4 in the admin; else it is below 0.6.
TOLERATED = 8


def stale(taken):
    """Yield the names of those pictures in docs/ that the program does not look like."""
    for name in PICTURES:
        new, old = (Image.open(folder / name) for folder in (taken, HERE))
        size = (new.width, min(new.height, old.height))
        grey = [image.convert("L").crop((0, 0, *size)) for image in (new, old)]
        (mean,) = ImageStat.Stat(ImageChops.difference(*grey)).mean
        resized = new.width != old.width or abs(new.height - old.height) > 0.05 * old.height
        if new.text != old.text or resized or mean > TOLERATED:
            yield name


@contextmanager
def demo():
    """The site with the demo's data, in a database of its own; yields its address."""
    import django
    from django.conf import settings

    show = {"SHOW_TOOLBAR_CALLBACK": lambda request: "toolbar" in request.COOKIES}
    settings.DEBUG_TOOLBAR_CONFIG |= show
    django.setup()
    from django.core.management import call_command
    from django.core.servers.basehttp import ThreadedWSGIServer
    from django.db import connections
    from django.test.testcases import LiveServerThread, _StaticFilesHandler
    from django.test.utils import setup_databases, teardown_databases

    databases = setup_databases(verbosity=0, interactive=False)
    call_command("demo_data", stdout=StringIO())
    server = LiveServerThread("localhost", _StaticFilesHandler)
    server.server_class = ThreadedWSGIServer
    server.daemon = True
    server.start()
    server.is_ready.wait()
    try:
        yield f"http://localhost:{server.port}"
    finally:
        server.terminate()
        connections.close_all()
        teardown_databases(databases, verbosity=0)


def forget_uploads():
    """What is staged for one picture is not offered in the next."""
    from django.db import connection

    from lo_storage.uploads.models import Upload

    Upload.objects.all().delete()
    connection.close()  # that of Playwright's loop


def main(folder):
    from playwright.sync_api import sync_playwright

    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with demo() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ["CHROMIUM"], args=[*sandbox, "--hide-scrollbars"]
        )
        for name, take in PICTURES.items():
            context = browser.new_context(
                base_url=address, viewport={"width": 1180, "height": 690}, locale="en-GB"
            )
            page = context.new_page()
            page.goto("/accounts/login/")
            page.get_by_label("Username").fill("alice")
            page.get_by_label("Password").fill("demo")
            page.get_by_role("button", name="Sign in").click()
            part = take(page)
            page.evaluate("document.activeElement.blur()")
            if part:
                part.screenshot(path=folder / name, animations="disabled")
            else:
                whole = take is uploading
                page.screenshot(path=folder / name, animations="disabled", full_page=whole)
            words = PngInfo()
            text = (part or page.locator("body")).inner_text()
            words.add_itxt("words", CHANGING.sub("0", text))
            # A third of the bytes, and a difference of 0.1 of 255.
            image = Image.open(folder / name).convert("RGB").quantize(COLOURS)
            image.save(folder / name, optimize=True, pnginfo=words)
            page.unroute_all(behavior="ignoreErrors")
            context.close()
            forget_uploads()
        browser.close()


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))
    # As DEBUG=1 bin/demo has it, with the toolbar.
    os.environ |= {"DEBUG": "1", "DEMO": "1", "DJANGO_SETTINGS_MODULE": "config.settings"}
    # Playwright's event loop runs in this thread, and is never in the middle of anything.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    if sys.argv[1:] != ["--check"]:
        main(HERE)
    else:
        with TemporaryDirectory() as folder:
            main(Path(folder))
            names = ", ".join(stale(Path(folder)))
        if names:
            sys.exit(f"The program does not look like {names}: bin/pictures takes them anew.")
