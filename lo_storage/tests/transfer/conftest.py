import os
from datetime import UTC, datetime

import pytest
from django.core.files.storage import FileSystemStorage
from django.db import connection

from lo_storage import large_objects
from lo_storage.database import cursor
from lo_storage.models import LargeObject

THEN = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)


class Meddling(FileSystemStorage):
    """A storage in which something happens whenever a file is opened."""

    meddle = staticmethod(lambda name: None)

    def _open(self, name, mode="rb"):
        self.meddle(name)
        return super()._open(name, mode)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "media"
    folder.mkdir()
    return folder


@pytest.fixture
def out(tmp_path):
    """Where an export goes."""
    return tmp_path / "out"


@pytest.fixture
def letter(letters, folder):
    """A function that makes a row whose file is in the folder."""

    def letter(name="a letter.pdf", content=b"content"):
        path = folder / name
        path.write_bytes(content)
        os.utime(path, (THEN.timestamp(), THEN.timestamp()))
        return letters.objects.create(data=name)

    return letter


@pytest.fixture
def meddling(folder, settings, monkeypatch):
    """A function that says what happens when a file is opened in the storage "meddling"."""
    settings.STORAGES = settings.STORAGES | {
        "meddling": {
            "BACKEND": "lo_storage.tests.transfer.conftest.Meddling",
            "OPTIONS": {"location": str(folder)},
        }
    }
    return lambda meddle: monkeypatch.setattr(Meddling, "meddle", staticmethod(meddle))


@pytest.fixture
def objects(letters):
    """A function that makes rows which point at large objects of nobody's catalogue."""

    def objects(*contents):
        with cursor("default") as c:
            numbers = [large_objects.create(c, content) for content in contents]
        return [letters.objects.create(title=f"{n}.pdf", number=n) for n in numbers]

    yield objects
    letters.objects.update(data=None)
    LargeObject.objects.all().delete()
    with connection.cursor() as c:
        c.execute("select lo_unlink(oid) from pg_largeobject_metadata")


@pytest.fixture
def another_table():
    """A function that makes a table of another application's, which has a number, too."""

    def table(number):
        with connection.cursor() as c:
            c.execute('create table "100% another" (object oid)')
            c.execute('insert into "100%% another" values (%s)', [number])

    yield table
    with connection.cursor() as c:
        c.execute('drop table "100% another"')
