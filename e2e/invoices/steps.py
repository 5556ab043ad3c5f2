"""What a person does again and again, in one line each."""

import time
from io import BytesIO

from PIL import Image
from playwright.sync_api import expect


def upload(page, *files):
    """Choose files on the page, and send the form."""
    page.get_by_label("Files", exact=True).set_input_files(files)
    page.get_by_role("button", name="Upload", exact=True).click()


def choose(page, *files, label="Files"):
    """Choose files, and wait until all of each has come."""
    page.get_by_label(label, exact=True).set_input_files(files)
    expect(page.get_by_text("All has come")).to_be_visible()


def look_at_new(page, file):
    """Choose the file that replaces another, and wait until both are shown."""
    choose(page, file, label="New file")
    expect(page.get_by_role("heading", name=f"The new file: {file.name}")).to_be_visible()


def said(page, text):
    """What a screen reader says, too."""
    return page.get_by_role("status").filter(has_text=text)


def for_all(page):
    return page.get_by_role("group", name="For all files")


def invoice_of_file(page, name):
    return page.get_by_role("group", name=f"Invoice of {name}")


def download(page, link):
    """Click; return the name under which the browser would save the file, and its bytes."""
    with page.expect_download() as event:
        link.click()
    return event.value.suggested_filename, event.value.path().read_bytes()


def foot(page):
    """The three numbers at the foot of each page."""
    region = page.get_by_role("region", name="Rows and files, counted in the database")
    return region.get_by_role("definition")


def colour(page, *at):
    """Of a point of what the page shows now."""
    return Image.open(BytesIO(page.screenshot())).convert("RGB").getpixel(at)


def eventually(condition, seconds=60):
    """Return what `condition()` returns once that is true; for what has no event.

    Only what never happens takes so long, on however busy a machine.
    """
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} seconds")
        time.sleep(0.02)
    return found
