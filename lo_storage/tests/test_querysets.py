"""Many rows with their files at once."""

import hashlib

import pytest
from django.core.exceptions import FieldError, SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, ProgrammingError, models
from django.test.utils import isolate_apps

from lo_storage.catalogue import SMALL_SIZE
from lo_storage.fields import DbFileField
from lo_storage.models import LargeObject
from lo_storage.querysets import DbFileQuerySet


@pytest.fixture
def rows(documents):
    return DbFileQuerySet(documents)


def content(file):
    with file.open() as opened:
        return opened.read()


class TestBulkCreate:
    def test_small_files_are_one_round_trip_for_each_mib(self, documents, rows, round_trips):
        objs = [documents(data=ContentFile(bytes([n]) * 10_000, f"{n}.txt")) for n in range(200)]
        with round_trips:
            rows.bulk_create(objs)
            # 104 files, 96, and the rows
            assert len(round_trips) == 3
        assert [content(row.data) for row in rows.order_by("pk")] == [
            bytes([n]) * 10_000 for n in range(200)
        ]
        first = documents.objects.earliest("pk").data.entry
        assert (first.original_name, first.sha256) == (
            "0.txt",
            hashlib.sha256(bytes(10_000)).hexdigest(),
        )

    @pytest.mark.parametrize("size", [0, 1, SMALL_SIZE - 1, SMALL_SIZE, 3_000_000])
    def test_of_any_size(self, documents, rows, size):
        data = (bytes(range(251)) * (size // 251 + 1))[:size]
        upload = SimpleUploadedFile("a.bin", data)
        rows.bulk_create([documents(data=upload, scan=ContentFile("grün", "a.txt")), documents()])
        (row, empty) = documents.objects.order_by("pk")
        assert (content(row.data), content(row.scan)) == (data, "grün".encode())
        assert not empty.data

    def test_what_was_stored_before_is_named(self, documents, rows):
        stored = documents.objects.create(data=ContentFile(b"march", "a.txt"))
        (copy,) = rows.bulk_create([documents(data=stored.data)])
        assert copy.data.name == stored.data.name
        assert LargeObject.objects.count() == 1

    def test_a_row_has_what_it_has_after_save(self, documents, rows):
        given = ContentFile(b"march", "a.txt")
        (row,) = rows.bulk_create([documents(data=given)])
        assert row.data.name == LargeObject.objects.get().name
        with row.data as stored:
            assert stored.read() == b"march"
            assert stored.file.file.loid == LargeObject.objects.get().loid
        assert not given.closed

    def test_in_autocommit_a_row_that_is_refused_leaves_no_file(
        self, documents, rows, large_objects
    ):
        taken = documents.objects.create()
        objs = [documents(pk=taken.pk, data=ContentFile(b"march", "a.txt"))]
        with pytest.raises(IntegrityError):
            rows.bulk_create(objs)
        assert large_objects() == set()

    def test_a_name_that_is_refused_leaves_no_file(self, documents, rows, large_objects):
        objs = [
            documents(data=ContentFile(b"march", "a.txt")),
            documents(data=ContentFile(b"april", "..")),
        ]
        with pytest.raises(SuspiciousFileOperation):
            rows.bulk_create(objs)
        with pytest.raises(FieldError):
            rows.bulk_create([documents(data=ContentFile(b"may"))])
        assert large_objects() == set()

    def test_a_field_with_another_storage_is_left_to_it(self, transactional_db, large_objects):
        with isolate_apps("lo_storage"):

            class Elsewhere(models.Model):  # noqa: DJ008  # nobody prints it
                data = DbFileField(storage=InMemoryStorage())

                class Meta:
                    app_label = "lo_storage"

        with pytest.raises(ProgrammingError, match="elsewhere"):
            DbFileQuerySet(Elsewhere).bulk_create([Elsewhere(data=ContentFile(b"a", "a.txt"))])
        assert large_objects() == set()


class TestWithEntries:
    def test_fifty_rows_with_names_and_sizes_are_one_query(self, documents, rows, round_trips):
        rows.bulk_create(
            documents(data=ContentFile(b"a" * n, f"{n}.txt"), scan=ContentFile(b"b", "b.txt"))
            for n in range(50)
        )
        with round_trips:
            listed = [
                (row.data.entry.original_name, row.data.size, row.scan.entry.sha256)
                for row in rows.with_entries().order_by("pk")
            ]
            assert len(round_trips) == 1
        b = hashlib.sha256(b"b").hexdigest()
        assert listed == [(f"{n}.txt", n, b) for n in range(50)]

    def test_it_is_what_the_storage_says(self, documents, rows):
        documents.objects.create(data=ContentFile(b"march", "a.txt"))
        known, asked = rows.with_entries("data").get(), rows.get()
        assert known.data.entry == asked.data.entry
        assert known.data.entry == asked.data.storage.entry(asked.data.name)

    def test_only_what_is_asked_for_is_read(self, documents, rows, round_trips):
        documents.objects.create(data=ContentFile(b"a", "a.txt"), scan=ContentFile(b"b", "b.txt"))
        row = rows.with_entries("scan").get()
        with round_trips:
            assert (row.scan.size, row.data.size) == (1, 1)
            assert len(round_trips) == 1

    def test_without_a_file_there_is_no_entry(self, documents, rows):
        documents.objects.create()
        row = rows.with_entries().get()
        for asked in ("entry", "size"):
            with pytest.raises(ValueError, match="no file associated"):
                getattr(row.data, asked)

    def test_a_new_file_is_not_taken_for_the_old_one(self, documents, rows):
        documents.objects.create(data=ContentFile(b"march", "a.txt"))
        row = rows.with_entries().get()
        row.data = ContentFile(b"longer", "b.txt")
        assert row.data.size == 6
        row.save()
        assert (row.data.size, row.data.entry.original_name) == (6, "b.txt")

    def test_a_file_that_is_not_catalogued_is_not_found(self, documents, rows):
        documents.objects.create(data=ContentFile(b"march", "a.txt"))
        row = rows.with_entries().get()
        row.data.name = "1.txt"
        with pytest.raises(FileNotFoundError):
            row.data.entry  # noqa: B018  # asking raises

    def test_counting_and_filtering_are_as_ever(self, documents, rows):
        documents.objects.create(title="a", data=ContentFile(b"march", "a.txt"))
        assert rows.with_entries().filter(title="a").count() == 1
        assert rows.with_entries().exists()
