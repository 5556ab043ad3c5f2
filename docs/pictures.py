"""Take the pictures of docs/ from the running demo, in a real browser: bin/pictures [FOLDER]."""

import os
import sys
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

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


def upload(page, failure=""):
    """Choose two files, and how the transaction shall fail."""
    page.goto("/upload/")
    page.get_by_label("Files", exact=True).set_input_files(FILES)
    page.get_by_label("Title").fill("March")
    if failure:
        page.get_by_label(failure).check()


def screenshot(page):
    upload(page, "Let the database refuse at COMMIT")
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("heading", name="Nothing was left behind.").wait_for()


def uploading(page):
    upload(page, "Raise an exception")


def admin(page):
    page.goto("/admin/lo_storage/largeobject/")


def toolbar(page):
    page.context.add_cookies([{"name": "toolbar", "value": "1", "url": page.url}])
    # Sent by the form itself, the upload is a page, and so has a toolbar of its own.
    page.route(
        "**/*.js",
        lambda route: route.abort() if "toolbar" not in route.request.url else route.continue_(),
    )
    upload(page, "Raise an exception")
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("heading", name="Nothing was left behind.").wait_for()
    page.locator("#djShowToolBarButton").click()
    page.get_by_role("link", name="Large objects").click()
    page.get_by_role("cell", name="create").first.wait_for()


PICTURES = {f"{take.__name__}.png": take for take in (screenshot, uploading, admin, toolbar)}


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
            take(page)
            page.evaluate("document.activeElement.blur()")
            whole = take is uploading
            page.screenshot(path=folder / name, animations="disabled", full_page=whole)
            context.close()
        browser.close()


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))
    # As DEBUG=1 bin/demo has it, with the toolbar.
    os.environ |= {"DEBUG": "1", "DEMO": "1", "DJANGO_SETTINGS_MODULE": "config.settings"}
    # Playwright's event loop runs in this thread, and is never in the middle of anything.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
