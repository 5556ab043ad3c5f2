"""What a person does again and again, in one line each."""

import time
from io import BytesIO

from PIL import Image


def upload(page, *files):
    """Choose files on the page, and send the form."""
    page.get_by_label("Files", exact=True).set_input_files(files)
    page.get_by_role("button", name="Upload", exact=True).click()


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
