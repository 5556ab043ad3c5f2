"""The content of one file."""

import hashlib
from io import BytesIO

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, InMemoryStorage, Storage
from django.db import transaction

from lo_storage.catalogue import SMALL_SIZE, New
from lo_storage.models import LargeObject
from lo_storage.storage import db_file_storage
from lo_storage.transfer import contents
from lo_storage.transfer.contents import (
    NotAsItWas,
    put_large,
    put_small,
    small_content,
    storage_errors,
    times_of,
)


class Drops(BytesIO):
    """A file that gives a few bytes at a time."""

    def read(self, size=-1):
        return super().read(min(size, 1000))


@pytest.mark.parametrize("size", [0, 1, SMALL_SIZE - 1, SMALL_SIZE, SMALL_SIZE + 1])
@pytest.mark.parametrize("kind", [ContentFile, Drops])
def test_the_content_of_a_small_file(kind, size):
    content = bytes(size)
    assert small_content(kind(content)) == (content if size < SMALL_SIZE else None)


def test_what_was_stored_otherwise_is_found_and_goes(transactional_db, large_objects):
    before = large_objects()
    new = New(b"content", "a.pdf", hashlib.sha256(b"other").hexdigest())
    with pytest.raises(NotAsItWas, match="where it was read again"), transaction.atomic():
        put_small("default", [new])
    assert (LargeObject.objects.count(), large_objects()) == (0, before)


def test_a_large_file_is_read_again(transactional_db, monkeypatch):
    times = (None, None)
    with transaction.atomic():
        content = File(BytesIO(bytes(2_000_000)))
        name, sha256 = put_large(db_file_storage, "default", "a.bin", content, times)
    assert sha256 == hashlib.sha256(bytes(2_000_000)).hexdigest()
    assert LargeObject.objects.get(name=name).sha256 == sha256
    monkeypatch.setattr(contents, "sha256_of", lambda file: "another")
    with pytest.raises(NotAsItWas), transaction.atomic():
        put_large(db_file_storage, "default", "a.bin", File(BytesIO(b"content")), times)


def test_times_as_far_as_a_storage_knows(tmp_path, settings):
    disk = FileSystemStorage(tmp_path)
    name = disk.save("a.txt", ContentFile(b"content"))
    created, modified = times_of(disk, name)
    assert created == modified
    memory = InMemoryStorage()
    name = memory.save("a.txt", ContentFile(b"content"))
    settings.USE_TZ = False
    created, modified = times_of(memory, name)
    assert created <= modified
    assert modified.tzinfo is not None
    assert times_of(Storage(), "a.txt") == (None, None)


def test_errors_of_a_service_s_own_client_are_known_where_it_is_there(monkeypatch):
    class Client:
        class AzureError(Exception):
            pass

    assert Client.AzureError not in storage_errors()
    monkeypatch.setitem(contents.sys.modules, "azure.core.exceptions", Client)
    assert Client.AzureError in storage_errors()
