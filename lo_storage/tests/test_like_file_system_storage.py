"""Django's `FileSystemStorage` is the judge: each test holds for it and for `DbFileStorage`.

Where the two differ stands in docs/how-it-works.md, and what only ours does in test_storage.py.
"""

import io
import os
from datetime import UTC, timedelta
from pathlib import Path

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage, storages
from django.core.files.uploadedfile import (
    InMemoryUploadedFile,
    SimpleUploadedFile,
    TemporaryUploadedFile,
)
from django.db import transaction
from django.test import override_settings
from django.utils import timezone

from lo_storage.storage import DbFileStorage

pytestmark = pytest.mark.django_db

MiB = 1024 * 1024
DATA = "grün\r\nrot\nblau".encode()


@pytest.fixture(params=[FileSystemStorage, DbFileStorage])
def backend(request, tmp_path, settings):
    settings.MEDIA_ROOT = tmp_path
    return request.param


@pytest.fixture
def storage(backend):
    return backend(base_url="/files/")


@pytest.fixture
def name(storage):
    return storage.save("colours.txt", ContentFile(DATA))


def read(storage, name):
    with storage.open(name) as file:
        return file.read()


class OnlyReads:
    """As a socket or a pipe: no name, no size, no way back."""

    def __init__(self, data):
        self.read = io.BytesIO(data).read


class Yields(File):
    """As a generated report: chunks come, and nobody knows how many."""

    def __init__(self, *chunks):
        super().__init__(io.BytesIO())
        self.chunks_given = chunks

    def chunks(self, chunk_size=None):
        yield from self.chunks_given


def temporary(data):
    file = TemporaryUploadedFile("x.txt", "text/plain", len(data), None)
    file.write(data)
    file.flush()
    return file


def on_disk(path):
    path.write_bytes(DATA)
    return File(path.open("rb"))


@pytest.mark.parametrize(
    "content",
    [
        lambda path: ContentFile(DATA),
        lambda path: ContentFile(DATA.decode()),
        lambda path: SimpleUploadedFile("x.txt", DATA),
        lambda path: InMemoryUploadedFile(io.BytesIO(DATA), None, "x.txt", "", len(DATA), None),
        lambda path: temporary(DATA),
        lambda path: on_disk(path / "x"),
        lambda path: File(io.BytesIO(DATA)),
        lambda path: File(io.StringIO(DATA.decode())),
        lambda path: io.BytesIO(DATA),
        lambda path: io.BufferedReader(io.BytesIO(DATA)),
        lambda path: OnlyReads(DATA),
        lambda path: Yields(DATA[:3], b"", DATA[3:]),
        lambda path: Yields(*(DATA[i : i + 1] for i in range(len(DATA)))),
        lambda path: Yields(DATA.decode()),
    ],
)
def test_whatever_is_a_file_is_saved(storage, tmp_path, content):
    content = content(tmp_path)
    assert read(storage, storage.save("colours.txt", content)) == DATA
    if hasattr(content, "close"):
        content.close()


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, MiB, MiB + 1, 3 * MiB + 5])
@pytest.mark.parametrize("chunk", [7 * 1024, MiB, 5 * MiB])
def test_chunks_of_any_size_are_saved(storage, size, chunk):
    data = os.urandom(size)
    content = Yields(*(data[start : start + chunk] for start in range(0, size, chunk)))
    assert read(storage, storage.save("x.bin", content)) == data


def test_a_stored_file_is_saved_as_another(storage):
    data = os.urandom(3 * MiB + 5)
    with storage.open(storage.save("x.bin", ContentFile(data))) as file:
        file.seek(7)
        assert read(storage, storage.save("copy.bin", file)) == data


def test_content_is_saved_from_its_beginning_and_left_open(storage):
    content = File(io.BytesIO(DATA))
    content.seek(5)
    for _ in range(2):
        assert read(storage, storage.save("x.txt", content)) == DATA
    assert not content.closed


def test_the_name_may_come_with_the_content(storage):
    name = storage.save(None, ContentFile(DATA, "colours.txt"))
    assert name.endswith(".txt")
    assert read(storage, name) == DATA


@pytest.mark.parametrize("content", [b"bytes", "text", None, 5])
def test_what_is_no_file_is_refused(storage, content):
    with transaction.atomic():
        with pytest.raises(AttributeError):
            storage.save("x.txt", content)
        assert read(storage, storage.save("x.txt", ContentFile(b"x"))) == b"x"


def test_closed_content_is_refused(storage):
    content = File(io.BytesIO(DATA))
    content.close()
    with pytest.raises(ValueError, match="closed file"):
        storage.save("x.txt", content)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/../x", "/etc/passwd", "..\\x", "a/.."])
def test_a_name_that_leads_elsewhere_is_refused(storage, name):
    with pytest.raises(SuspiciousFileOperation):
        storage.save(name, ContentFile(b"x"))


def test_a_name_that_cannot_be_short_enough_is_refused(storage):
    with pytest.raises(SuspiciousFileOperation, match="Storage can not find an available filename"):
        storage.save("colours.jpeg", ContentFile(b"x"), max_length=5)
    assert len(storage.save("c" * 50 + ".jpeg", ContentFile(b"x"), max_length=20)) <= 20


def test_two_files_of_one_name_are_two(storage):
    first, second = (storage.save("x.txt", ContentFile(data)) for data in (b"1", b"2"))
    assert first != second
    assert (read(storage, first), read(storage, second)) == (b"1", b"2")


def test_a_valid_name(storage):
    assert storage.get_valid_name(" a b?.txt") == "a_b.txt"


@pytest.mark.parametrize(
    ("mode", "read", "written", "content"),
    [
        ("rb", b"0123456789", None, b"0123456789"),
        ("r+b", b"0123456789", 10, b"0123456789ab"),
        ("rb+", b"0123456789", 10, b"0123456789ab"),
        ("wb", None, 0, b"ab"),
        ("w+b", b"", 0, b"ab"),
        ("ab", None, 10, b"0123456789ab"),
        ("a+b", b"", 10, b"0123456789ab"),
    ],
)
def test_modes(storage, mode, read, written, content):
    """What a first read gives, where a first write goes, and what is there in the end."""
    name = storage.save("x.txt", ContentFile(b"0123456789"))
    with storage.open(name, mode) as file:
        assert (file.readable(), file.writable()) == (read is not None, written is not None)
        if read is None:
            with pytest.raises(io.UnsupportedOperation):
                file.read()
        else:
            assert file.read() == read
        if written is None:
            with pytest.raises(io.UnsupportedOperation):
                file.write(b"ab")
        else:
            assert file.tell() == written
            assert file.write(b"ab") == 2
            assert file.tell() == written + 2
    assert file.closed
    with storage.open(name) as file:
        assert file.read() == content
    assert storage.size(name) == len(content)


@pytest.mark.parametrize("mode", ["", "b", "rw", "rwb", "q", "+b"])
def test_a_mode_that_does_not_exist(storage, name, mode):
    with pytest.raises(ValueError, match="mode"):
        storage.open(name, mode)


def test_an_open_file(storage, name):
    with storage.open(name) as file:
        assert isinstance(file, File)
        assert file
        assert (file.size, len(file)) == (len(DATA), len(DATA))
        assert list(file.chunks(4)) == [DATA[i : i + 4] for i in range(0, len(DATA), 4)]
        assert (file.multiple_chunks(4), file.multiple_chunks()) == (True, False)
        assert list(file) == DATA.splitlines(keepends=True)
        assert (file.seek(2), file.read(3), file.tell()) == (2, DATA[2:5], 5)
        assert file.readline() == DATA[5:7]
        assert (file.seek(-4, os.SEEK_END), file.read()) == (len(DATA) - 4, b"blau")
    with pytest.raises(ValueError, match="closed file"):
        file.read()
    file.close()


def test_a_file_is_opened_again(storage, name):
    file = storage.open(name)
    assert file.read(3) == DATA[:3]
    assert file.open() is file
    assert file.read() == DATA
    file.close()
    assert file.size == len(DATA)
    with file.open() as again:
        assert again.read() == DATA


def test_text_is_read_and_written_through_a_wrapper(storage, name):
    with io.TextIOWrapper(storage.open(name), "utf-8", newline="") as file:
        assert file.readlines() == DATA.decode().splitlines(keepends=True)
    with io.TextIOWrapper(storage.open(name, "wb"), "utf-8", newline="\r\n") as file:
        file.write("grün\n")
    assert read(storage, name) == "grün\r\n".encode()


def test_what_is_not_there(storage, name):
    storage.delete(name)
    assert not storage.exists(name)
    for call in (storage.open, storage.size, storage.get_created_time, storage.get_modified_time):
        with pytest.raises(FileNotFoundError):
            call(name)
    storage.delete(name)
    assert storage.url(name) == f"/files/{name}"


@pytest.mark.parametrize("name", ["", None])
def test_no_name_is_not_deleted(storage, name):
    with pytest.raises(ValueError, match=r"The name must be given to delete\(\)"):
        storage.delete(name)


def test_a_path_is_a_name(storage):
    name = Path(storage.save(Path("colours.txt"), ContentFile(DATA)))
    assert read(storage, name) == DATA
    assert (storage.size(name), storage.exists(name)) == (len(DATA), True)
    assert storage.get_modified_time(name)
    assert storage.url(str(name)) == f"/files/{name}"
    storage.delete(name)
    assert not storage.exists(name)


def test_listdir(storage):
    assert storage.listdir("") == ([], [])
    names = {storage.save("x.txt", ContentFile(b"")) for _ in range(3)}
    folders, files = storage.listdir("")
    assert (folders, set(files)) == ([], names)
    with pytest.raises(FileNotFoundError):
        storage.listdir("elsewhere")


@override_settings(MEDIA_URL="/media/")
@pytest.mark.parametrize(
    ("base_url", "name", "url"),
    [
        (None, "12.pdf", "/media/12.pdf"),
        ("", "12.pdf", "/12.pdf"),
        ("/files", "12.pdf", "/files/12.pdf"),
        ("/files/", "12.pdf", "/files/12.pdf"),
        ("https://files.example", "12.pdf", "https://files.example/12.pdf"),
        ("/files/", "12.a b#?&%.pdf", "/files/12.a%20b%23%3F%26%25.pdf"),
        ("/files/", "12.grün.pdf", "/files/12.gr%C3%BCn.pdf"),
        ("/files/", "//evil.example/x", "/files/evil.example/x"),
        ("/files/", "", "/files/"),
        ("/files/", None, "/files/"),
    ],
)
def test_url(backend, base_url, name, url):
    assert backend(base_url=base_url).url(name) == url


def test_the_url_follows_the_setting(backend):
    storage = backend()
    for media_url, url in [("/a/", "/a/x"), ("https://b.example/", "https://b.example/x")]:
        with override_settings(MEDIA_URL=media_url):
            assert storage.url("x") == url
    with (
        override_settings(MEDIA_URL=None),
        pytest.raises(ValueError, match="This file is not accessible via a URL"),
    ):
        storage.url("x")


@pytest.mark.parametrize("use_tz", [True, False])
def test_times(storage, use_tz):
    """Aware in UTC, or naive in the time zone of the settings, whichever one is active."""
    with override_settings(USE_TZ=use_tz), timezone.override("Asia/Tokyo"):
        name = storage.save("x.txt", ContentFile(b"x"))
        created, modified = storage.get_created_time(name), storage.get_modified_time(name)
        for time in (created, modified):
            assert timezone.is_aware(time) is use_tz
            assert abs(time - timezone.now()) < timedelta(minutes=1)
            assert time.tzinfo is (UTC if use_tz else None)
        with storage.open(name, "wb") as file:
            file.write(b"y")
        assert storage.get_modified_time(name) >= modified


@pytest.fixture
def configured(backend):
    """Settings that name the storage twice."""
    path = f"{backend.__module__}.{backend.__qualname__}"
    configured = {
        "default": {"BACKEND": path, "OPTIONS": {"base_url": "/default/"}},
        "papers": {"BACKEND": path, "OPTIONS": {"base_url": "/papers/"}},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    with override_settings(STORAGES=configured):
        yield


def test_the_setting_storages(backend, configured):
    assert type(storages["papers"]) is backend
    assert storages["papers"] is storages["papers"]
    assert isinstance(default_storage, backend)
    name = default_storage.save("x.txt", ContentFile(DATA))
    assert read(storages["papers"], name) == DATA
    assert (default_storage.url("x"), storages["papers"].url("x")) == ("/default/x", "/papers/x")


def test_a_storage_is_deconstructed(backend):
    path, args, kwargs = backend(base_url="/papers").deconstruct()
    assert path.rpartition(".")[2] == backend.__name__
    assert (args, kwargs) == ((), {"base_url": "/papers"})
