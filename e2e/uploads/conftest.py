"""Pages of the library's own form, and what the server has of it."""

import hashlib

import pytest
from django.contrib.auth import get_user_model
from django.core.signals import request_started
from playwright.sync_api import expect

from lo_storage.models import LargeObject
from lo_storage.tests.conftest import (  # noqa: F401
    documents,  # the table for what is saved
    nothing_of_other_tests,
)
from lo_storage.upkeep.objects import check_files, check_objects, parts
from lo_storage.upkeep.references import check_catalogue, check_references
from lo_storage.upkeep.rows import Naming, naming_columns
from lo_storage.upkeep.staged import check_staged
from lo_storage.uploads.models import Upload

from .steps import PIECE, save


@pytest.fixture(autouse=True)
def library_s_pages(settings, documents):  # noqa: F811
    settings.ROOT_URLCONF = "e2e.uploads.urls"


@pytest.fixture(autouse=True)
def nothing_is_wrong_afterwards(library_s_pages, nothing_of_other_tests):  # noqa: F811  # they are fixtures
    """Whatever a test did to lines and pages, no row is without its file, or the reverse."""
    yield
    assert wrong() == []


@pytest.fixture(autouse=True)
def no_exception(nothing_is_wrong_afterwards, context):
    """Nothing that a page does ends in an exception that nobody expects."""
    errors = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    yield
    assert errors == []


@pytest.fixture
def bob(transactional_db):
    return get_user_model().objects.create_user("bob", password="another one")


@pytest.fixture
def file(tmp_path):
    """Write a file to the person's disk, to be chosen in the browser."""

    def file(name="scan.pdf", content=b"content"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return file


@pytest.fixture
def large(file):
    """A file that comes in three pieces."""
    return file("large.bin", hashlib.shake_256(b"large").digest(5 * PIECE // 2))


@pytest.fixture
def page_of(alices_page):
    def page_of(address):
        alices_page.goto(address)
        return alices_page

    return page_of


@pytest.fixture
def many(page_of):
    return page_of("/many/")


@pytest.fixture
def requests():
    """What has come by the protocol: method, where it began, and how many bytes it was to have.

    Its methods alone: a page that is shown asks for the list of what is staged at any time.
    """
    seen = []

    def note(environ=None, **kwargs):
        if not environ or environ["REQUEST_METHOD"] == "GET":
            return
        if environ["PATH_INFO"].startswith("/uploads/"):
            offset = int(environ.get("HTTP_UPLOAD_OFFSET") or 0)
            length = int(environ.get("CONTENT_LENGTH") or 0)
            seen.append((environ["REQUEST_METHOD"], offset, length))

    request_started.connect(note)
    yield seen
    request_started.disconnect(note)


def wrong(alias="default"):
    """What `lo_check` finds, but for what it says of the server, in a thread and in 30 ms."""
    naming = [column for column in naming_columns(alias) if isinstance(column, Naming)]
    return [
        *check_staged(alias),
        *check_catalogue(alias),
        *check_references(alias),
        *check_objects(alias, naming),
        *check_files(alias, parts(alias), 1, lambda files: None),
    ]


def saved():
    """The SHA-256 of each file that is saved; nothing else is staged."""
    assert not Upload.objects.exists()
    return sorted(LargeObject.objects.values_list("sha256", flat=True))


def digests(*paths):
    return sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths)


def save_all(page, *paths):
    expect(page.get_by_role("status")).to_contain_text("All has come")
    save(page)
    expect(page.get_by_role("heading", name=f"Saved {len(paths)}")).to_be_visible()
    assert saved() == digests(*paths)


def starts(requests):
    """Where each piece began that came to the server."""
    return [offset for method, offset, _ in requests if method == "PATCH"]
