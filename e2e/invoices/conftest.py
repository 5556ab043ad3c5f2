"""Whose invoices there are, and what the database holds."""

from typing import NamedTuple

import pytest
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.db import connection

from invoices.models import Invoice
from lo_storage.uploads.models import Upload


@pytest.fixture
def bob(transactional_db):
    return get_user_model().objects.create_user("bob", password="another one")


@pytest.fixture
def invoice_of(transactional_db):
    """Save an invoice with a file."""

    def save(owner, content=b"content", name="rent.txt", **fields):
        fields = {"title": "Rent", "issued": "2026-03-02", **fields}
        fields.setdefault("number", Invoice.objects.next_number(owner, 2026))
        return Invoice.objects.create(owner=owner, data=ContentFile(content, name=name), **fields)

    return save


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

    objects: dict  # each large object that is not staged, whoever made it: SHA-256 of its bytes
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
                        " where oid not in (select loid from lo_storage_uploads_upload)"
                    )
                ),
                set(rows("select entry::text from lo_storage_largeobject entry")),
                set(rows("select invoice::text from invoices_invoice invoice")),
            )

    return look


@pytest.fixture
def large_objects(snapshot):
    """The numbers of the large objects in the database, but for those of `staged`."""
    return lambda: set(snapshot().objects)


@pytest.fixture
def staged(transactional_db):
    """The uploads that wait for a row: how much of each has come."""
    return lambda: dict(Upload.objects.values_list("original_name", "received"))


@pytest.fixture
def other_session(transactional_db):
    """A second connection to the test's database, in a transaction."""
    other = connection.copy()
    other.set_autocommit(False)
    yield other
    other.close()
