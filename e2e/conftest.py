"""A person at a browser, and what the database holds.

The browser is a real Chromium, the server a real one, the database a real PostgreSQL.
"""

import os
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from django.conf import settings as site
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client
from playwright.sync_api import expect

from invoices.models import Invoice

HERE = Path(__file__).parent

expect.set_options(timeout=10_000)  # two cores, and others use them, too


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    # Last, because Playwright's event loop runs in this thread to the end of the session, and no
    # other test could run one of its own.
    items.sort(key=lambda item: HERE in item.path.parents)


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


@pytest.fixture(autouse=True)
def for_the_tests(settings, tmp_path):
    settings.DEMO = True  # shows the switches that make a transaction fail
    # Slow on purpose, and each test makes a user or two.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Where a test can see that an upload has begun, and that nothing of it stays.
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "arriving"
    settings.FILE_UPLOAD_TEMP_DIR.mkdir()


@pytest.fixture
def alice(transactional_db):
    return User.objects.create_user("alice", password="a long one")


@pytest.fixture
def bob(transactional_db):
    return User.objects.create_user("bob", password="another one")


@pytest.fixture
def invoice_of(transactional_db):
    """Save an invoice with a file."""

    def save(owner, content=b"content", name="rent.txt", **fields):
        fields = {"title": "Rent", "issued": "2026-03-02", **fields}
        fields.setdefault("number", Invoice.objects.next_number(owner, 2026))
        return Invoice.objects.create(owner=owner, data=ContentFile(content, name=name), **fields)

    return save


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


@pytest.fixture
def sample(tmp_path):
    """Write a file to the person's disk, to be chosen in the browser."""
    folder = tmp_path / "documents"
    folder.mkdir()

    def write(name, content):
        path = folder / name
        path.write_bytes(content)
        return path

    return write


class Snapshot(NamedTuple):
    """All that a failure may not change."""

    objects: dict  # each large object in the database, whoever made it: SHA-256 of its bytes
    catalogue: set
    invoices: set


@pytest.fixture
def snapshot(transactional_db):
    """Look at every row and every large object, from a session that sees what is committed."""

    def look():
        with connection.cursor() as cursor:

            def rows(sql):
                cursor.execute(sql)
                return cursor.fetchall()

            return Snapshot(
                dict(
                    rows(
                        "select oid::bigint, encode(sha256(lo_get(oid)), 'hex')"
                        " from pg_largeobject_metadata"
                    )
                ),
                set(rows("select entry::text from lo_storage_largeobject entry")),
                set(rows("select invoice::text from invoices_invoice invoice")),
            )

    return look


@pytest.fixture
def large_objects(snapshot):
    """The numbers of the large objects in the database."""
    return lambda: set(snapshot().objects)


@pytest.fixture
def other_session(transactional_db):
    """A second connection to the test's database, in a transaction."""
    other = connection.copy()
    other.set_autocommit(False)
    yield other
    other.close()
