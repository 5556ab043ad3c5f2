"""A file in a large object goes through the libraries that people hand files to."""

import csv
import gzip
import hashlib
import io
import json
import os
import pickle
import shutil
import tarfile
import zipfile

import pytest
from django.core.files.base import ContentFile
from django.db import transaction
from django.http import FileResponse

from lo_storage import catalogue
from lo_storage.large_objects import ROW_SIZE
from lo_storage.storage import DbFileIO, db_file_storage

pytestmark = pytest.mark.django_db

LINES = ["märz,1", "april,2", "", "発票,3"]
ROWS = [["month", "amount"], ["märz", "1,50"], ['"april"\nlate', "2"]]


@pytest.fixture
def new():
    """A function that makes an empty file and opens it for reading and writing."""

    def new(name: str = "file.bin") -> DbFileIO:
        return DbFileIO(0, "w+b", name)

    return new


def content(file: DbFileIO) -> bytes:
    with DbFileIO(file.loid) as again:
        return again.read()


def stored(data: bytes, name: str = "file.bin"):
    """What `Storage.open()` returns for a file that holds `data`."""
    return db_file_storage.open(db_file_storage.save(name, ContentFile(data)))


def stored_number(data: bytes) -> int:
    with stored(data) as file:
        return file.file.loid


class TestIo:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    def test_text_is_written_and_read(self, new, encoding, newline):
        text = "".join(f"{line}\n" for line in LINES).replace("発票", "facture")
        with io.TextIOWrapper(new(), encoding, newline=newline) as file:
            file.write(text)
            raw = file.buffer
        assert content(raw) == text.replace("\n", newline).encode(encoding)
        with io.TextIOWrapper(DbFileIO(raw.loid), encoding) as file:
            assert file.readlines() == text.splitlines(keepends=True)

    def test_text_from_the_storage(self):
        with stored("\n".join(LINES).encode()) as file, io.TextIOWrapper(file, "utf-8") as text:
            assert text.read().split("\n") == LINES

    def test_text_can_be_sought_and_told(self, new):
        with io.TextIOWrapper(new(), "utf-8") as file:
            file.write("märz\napril\n")
            file.seek(0)
            assert file.readline() == "märz\n"
            position = file.tell()
            assert file.readline() == "april\n"
            file.seek(position)
            assert file.read() == "april\n"

    def test_a_buffered_reader(self):
        data = os.urandom(ROW_SIZE + 1_000)
        with stored(data) as file, io.BufferedReader(file.file, 4_096) as reader:
            assert reader.peek(10)[:10] == data[:10]
            assert reader.read(5_000) == data[:5_000]
            assert reader.read1(100)[:100] == data[5_000:5_100]
            reader.seek(ROW_SIZE - 10)
            assert reader.read() == data[ROW_SIZE - 10 :]

    def test_a_buffered_writer_sends_when_it_is_full_and_when_it_is_flushed(self, new, round_trips):
        with new() as file, io.BufferedWriter(file, buffer_size=100) as writer, round_trips:
            writer.write(b"x" * 60)
            assert round_trips == []
            writer.write(b"y" * 60)
            writer.flush()
            assert round_trips == 2 * [catalogue.WRITE]
        assert content(file) == b"x" * 60 + b"y" * 60

    def test_a_buffered_random(self, new):
        with io.BufferedRandom(new()) as file:
            file.write(b"0123456789")
            file.seek(2)
            assert file.read(3) == b"234"
            file.write(b"xy")
            file.seek(0)
            assert file.read() == b"01234xy789"
            raw = file.raw
        assert content(raw) == b"01234xy789"

    def test_a_buffered_pair_reads_one_file_and_writes_another(self, new):
        with DbFileIO(stored_number(b"question")) as source, new() as target:
            pair = io.BufferedRWPair(source, target)
            pair.write(b"answer")
            assert pair.read() == b"question"
            pair.close()
        assert content(target) == b"answer"


class TestTheStandardLibrary:
    def test_csv(self, new):
        with io.TextIOWrapper(new("a.csv"), "utf-8", newline="") as file:
            csv.writer(file).writerows(ROWS)
            raw = file.buffer
        with (
            db_file_storage.open(raw.name) as file,
            io.TextIOWrapper(file, "utf-8", newline="") as text,
        ):
            assert list(csv.reader(text)) == ROWS

    def test_json(self, new):
        with io.TextIOWrapper(new("a.json"), "utf-8") as file:
            json.dump(ROWS, file, ensure_ascii=False)
            raw = file.buffer
        with db_file_storage.open(raw.name) as file:
            assert json.load(file) == ROWS

    def test_pickle(self, new):
        with new() as file:
            pickle.dump(ROWS, file)
            file.seek(0)
            assert pickle.load(file) == ROWS

    def test_a_zip_archive_is_written_extended_and_read(self, new, round_trips):
        first, second = os.urandom(50_000), b"text\n" * 20_000
        with new("a.zip") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("first.bin", first)
            with zipfile.ZipFile(file, "a") as archive:
                archive.writestr("folder/second.txt", second)
        with db_file_storage.open(file.name) as again, round_trips:
            with zipfile.ZipFile(again) as archive:
                assert archive.namelist() == ["first.bin", "folder/second.txt"]
                assert archive.testzip() is None
                assert archive.read("folder/second.txt") == second
            with zipfile.ZipFile(again) as archive, archive.open("first.bin") as member:
                member.seek(40_000)
                assert member.read() == first[40_000:]
            assert {*round_trips} == {catalogue.SIZE}  # The rest was read when it was opened.

    @pytest.mark.parametrize(
        ("writing", "reading"), [("w:", "r:"), ("w:gz", "r:*"), ("w|", "r|"), ("w|gz", "r|gz")]
    )
    def test_a_tar_archive(self, new, writing, reading):
        data = os.urandom(30_000)
        with new("a.tar") as file:
            with tarfile.open(fileobj=file, mode=writing) as archive:
                for name in ("one", "two"):
                    member = tarfile.TarInfo(name)
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))
            file.seek(0)
            with tarfile.open(fileobj=file, mode=reading) as archive:
                found = {member.name: archive.extractfile(member).read() for member in archive}
        assert found == {"one": data, "two": data}

    def test_gzip(self, new):
        with new("a.gz") as file:
            with gzip.open(file, "wt", encoding="utf-8") as text:
                text.write("märz\n" * 1_000)
            file.seek(0)
            with gzip.open(file, "rt", encoding="utf-8") as text:
                assert text.read() == "märz\n" * 1_000

    def test_copyfileobj_in_and_out(self, new, tmp_path):
        data = os.urandom(ROW_SIZE * 2 + 3)
        path = tmp_path / "a.bin"
        path.write_bytes(data)
        with path.open("rb") as disk, new() as file:
            shutil.copyfileobj(disk, file)
        with db_file_storage.open(file.name) as again, (tmp_path / "b.bin").open("wb") as disk:
            shutil.copyfileobj(again, disk)
        assert (tmp_path / "b.bin").read_bytes() == data

    def test_from_one_large_object_into_another(self, new):
        data = os.urandom(ROW_SIZE + 3)
        with stored(data) as source, new() as file:
            shutil.copyfileobj(source, file)
        assert content(file) == data

    def test_a_digest(self):
        data = os.urandom(ROW_SIZE + 3)
        with stored(data) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        assert digest == db_file_storage.entry(file.name).sha256

    def test_django_s_own_file_response(self):
        data = os.urandom(10_000)
        response = FileResponse(stored(data, "a.pdf"), filename="a.pdf")
        assert b"".join(response) == data
        assert response["Content-Length"] == "10000"
        response.close()

    def test_an_archive_of_the_storage_is_extended(self, new):
        with new("a.zip") as file, zipfile.ZipFile(file, "w") as archive:
            archive.writestr("one", b"1")
        with (
            db_file_storage.open(file.name, "r+b") as again,
            zipfile.ZipFile(again, "a") as archive,
        ):
            archive.writestr("two", b"2")
        with db_file_storage.open(file.name) as again, zipfile.ZipFile(again) as archive:
            found = {name: archive.read(name) for name in archive.namelist()}
        assert found == {"one": b"1", "two": b"2"}


@pytest.mark.django_db(transaction=True)
def test_the_file_of_a_row_is_rewritten_and_read(documents):
    document = documents.objects.create(data=ContentFile(b"longer than new\n" * 20, "a.csv"))
    with (
        transaction.atomic(),
        document.data.open("wb") as file,
        io.TextIOWrapper(file, "utf-8", newline="") as text,
    ):
        csv.writer(text).writerows(ROWS)
    document = documents.objects.get()
    with document.data.open() as file, io.TextIOWrapper(file, "utf-8", newline="") as text:
        assert list(csv.reader(text)) == ROWS


@pytest.mark.django_db(transaction=True)
def test_reading_needs_no_transaction():
    with transaction.atomic():
        file = DbFileIO(0, "w+b", "a.zip")
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("one", b"1")
        file.close()
    with db_file_storage.open(file.name) as again, zipfile.ZipFile(again) as archive:
        assert archive.read("one") == b"1"


def test_pillow(new):
    image = pytest.importorskip("PIL.Image", reason="the project may have no Pillow")
    pixels = os.urandom(30 * 20 * 3)
    with new("a.png") as file, image.frombytes("RGB", (30, 20), pixels) as picture:
        picture.save(file, "PNG")
        picture.save(in_memory := io.BytesIO(), "JPEG")
        with new("a.jpeg") as jpeg:
            picture.save(jpeg, "JPEG")
    assert content(jpeg) == in_memory.getvalue()
    with db_file_storage.open(file.name) as again, image.open(again) as picture:
        assert (picture.size, picture.tobytes()) == ((30, 20), pixels)
    with db_file_storage.open(jpeg.name) as again, image.open(again) as picture:
        picture.load()
        assert (picture.format, picture.size) == ("JPEG", (30, 20))


@pytest.mark.parametrize(("attached", "statements"), [(180_000, 5), (ROW_SIZE, 20)])
def test_pypdf(new, round_trips, attached, statements):
    pypdf = pytest.importorskip("pypdf", reason="the project may have no pypdf")
    data = os.urandom(attached)
    with new("a.pdf") as file:
        writer = pypdf.PdfWriter()
        for number in range(50):
            writer.add_blank_page(100 + number, 200)
        writer.add_attachment("random.bin", data)
        writer.write(file)
    with round_trips, db_file_storage.open(file.name) as again:
        reader = pypdf.PdfReader(again)
        assert [int(page.mediabox.width) for page in reader.pages] == list(range(100, 150))
        assert reader.attachments["random.bin"] == [data]
    # From the end to the front, byte by byte: what is larger than is read ahead takes more.
    assert len(round_trips) <= statements


def test_openpyxl(new):
    openpyxl = pytest.importorskip("openpyxl", reason="the project may have no openpyxl")
    book = openpyxl.Workbook()
    for row in ROWS:
        book.active.append(row)
    with new("a.xlsx") as file:
        book.save(file)
    with db_file_storage.open(file.name) as again:
        loaded = openpyxl.load_workbook(again, read_only=True)
        assert [list(row) for row in loaded.active.values] == ROWS
        loaded.close()


@pytest.mark.parametrize("kind", ["csv", "excel"])
def test_pandas(new, kind):
    pandas = pytest.importorskip("pandas", reason="the project may have no pandas")
    pytest.importorskip("openpyxl", reason="the project may have no openpyxl")
    frame = pandas.DataFrame({"month": ["märz", "april"], "amount": [1.5, 2.0]})
    with new(f"a.{kind}") as file:
        getattr(frame, f"to_{kind}")(file, index=False)
    with db_file_storage.open(file.name) as again:
        assert getattr(pandas, f"read_{kind}")(again).equals(frame)
