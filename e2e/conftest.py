"""A person at a browser.

The browser is a real Chromium, the server a real one, the database a real PostgreSQL.
"""

import os
import threading
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings as site
from django.contrib.auth import get_user_model
from django.test import Client
from playwright.sync_api import expect

HERE = Path(__file__).parent

expect.set_options(timeout=30_000)  # two cores, and others use them, too


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    # Last, because Playwright's event loop runs in this thread to the end of the session, and no
    # other test could run one of its own. The modules with the most tests come first of these: the
    # last to begin should end soon, for other processes wait for it.
    size = Counter(item.path for item in items if HERE in item.path.parents)
    items.sort(key=lambda item: (item.path in size, -size[item.path]))


@pytest.fixture(scope="session", autouse=True)
def queries_beside_an_event_loop():
    # Django refuses queries in a thread in which an event loop runs. Playwright's loop is never in
    # the middle of anything while a test is: each call runs it until the answer is there.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield


@pytest.fixture(scope="session")
def base_url(live_server):
    """What `page.goto("/upload/")` begins with."""
    return live_server.url


@pytest.fixture
def browser_context_args(browser_context_args, live_server):
    """What a window begins with; once it is closed, the server has done all that it was asked.

    The tables are emptied afterwards, and the files: not beside a request that deletes one.
    """
    yield browser_context_args
    for thread in threading.enumerate():
        if thread.name.endswith("(process_request_thread)"):  # of a connection: it ends with it
            thread.join(timeout=60)
            assert not thread.is_alive(), "a connection is still open, and its window is closed"


@pytest.fixture(autouse=True)
def for_the_tests(settings):
    settings.DEMO = True  # as somebody sees it who tries it
    # Slow on purpose, and each test makes a user or two.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def alice(transactional_db):
    return get_user_model().objects.create_user("alice", password="a long one")


@pytest.fixture
def admin(transactional_db):
    return get_user_model().objects.create_superuser("root", password="a long one")


@pytest.fixture
def admins_page(page, context, admin, sign_in):
    sign_in(context, admin)
    return page


@pytest.fixture(scope="session")
def whole_launch_args(browser_type_launch_args, chromium):
    """Those of a browser that shows PDFs, and whose pages can be kept while others are shown."""
    return {**browser_type_launch_args, "executable_path": chromium}


@pytest.fixture
def profile(tmp_path):
    """The folder in which a browser of one's own keeps what it keeps on disk."""
    return tmp_path / "profile"


@pytest.fixture
def ordinary_browser(browser_type, whole_launch_args, base_url, profile):
    """A browser that has such a folder, and keeps whole pages: Playwright's have neither."""
    launch = {**whole_launch_args, "ignore_default_args": ["--disable-back-forward-cache"]}
    context = browser_type.launch_persistent_context(profile, base_url=base_url, **launch)
    yield context
    context.close()


@pytest.fixture
def sign_in(base_url):
    """Sign a user in by a cookie: only one test needs to fill in the form."""

    def sign_in(context, user):
        client = Client()
        client.force_login(user)
        cookie = client.cookies[site.SESSION_COOKIE_NAME]
        host = urlsplit(base_url).hostname
        context.add_cookies(
            [{"name": cookie.key, "value": cookie.value, "domain": host, "path": "/"}]
        )

    return sign_in


@pytest.fixture
def alices_page(page, context, alice, sign_in):
    sign_in(context, alice)
    return page
