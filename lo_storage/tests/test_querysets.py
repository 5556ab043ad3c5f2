"""Many rows with their files at once."""

import hashlib

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import FieldError, SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, ProgrammingError, models, transaction
from django.test.utils import isolate_apps

from lo_storage.catalogue import SMALL_SIZE
from lo_storage.fields import DbFieldFile, DbFileField
from lo_storage.models import LargeObject
from lo_storage.querysets import DbFileQuerySet
from lo_storage.storage import DbFileStorage


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

    def test_a_storage_that_saves_in_its_own_way_is_asked_for_each_file(
        self, documents, rows, monkeypatch
    ):
        class Counting(DbFileStorage):
            names = ()

            def _save(self, name, content):
                self.names += (name,)
                return super()._save(name, content)

        storage = Counting()
        monkeypatch.setattr(documents._meta.get_field("data"), "storage", storage)
        rows.bulk_create([documents(data=ContentFile(b"march", "a.txt"))])
        assert storage.names == ("a.txt",)

    def test_a_file_that_saves_in_its_own_way_is_asked(self, documents, rows, monkeypatch):
        class Loud(DbFieldFile):
            def save(self, name, content, save=True):
                super().save(name, ContentFile(content.read().upper()), save)

        monkeypatch.setattr(documents._meta.get_field("data"), "attr_class", Loud)
        (row,) = rows.bulk_create([documents(data=ContentFile(b"march", "a.txt"))])
        assert content(row.data) == b"MARCH"

    def test_a_field_that_saves_in_its_own_way_is_asked(self, documents, rows, monkeypatch):
        class Titled(DbFileField):
            def pre_save(self, instance, add):
                instance.title = instance.data.name
                return super().pre_save(instance, add)

        field = documents._meta.get_field("data")
        monkeypatch.setattr(field, "__class__", Titled)
        (row,) = rows.bulk_create([documents(data=ContentFile(b"march", "a.txt"))])
        assert row.title == "a.txt"

    def test_a_name_is_made_of_what_other_fields_set(self, documents, rows, monkeypatch):
        def save_title(instance, add):
            instance.title = "march"
            return instance.title

        monkeypatch.setattr(documents._meta.get_field("title"), "pre_save", save_title)
        monkeypatch.setattr(
            documents._meta.get_field("data"),
            "upload_to",
            lambda row, name: f"{row.title} {name}",
        )
        (row,) = rows.bulk_create([documents(data=ContentFile(b"march", "a.txt"))])
        assert row.data.entry.original_name == "march a.txt"

    def test_rows_that_share_a_new_file_name_it_together(self, documents, rows):
        new = documents(data=ContentFile(b"march", "a.txt")).data
        rows.bulk_create([documents(data=new), documents(data=new)])
        (first, second) = documents.objects.all()
        assert first.data.name == second.data.name == LargeObject.objects.get().name

    def test_of_a_conflict_the_row_there_is_has_the_new_file(self, documents, rows, large_objects):
        there = documents.objects.create(title="old", data=ContentFile(b"march", "a.txt"))
        again = documents(pk=there.pk, title="new", data=ContentFile(b"april", "b.txt"))
        rows.bulk_create(
            [again], update_conflicts=True, unique_fields=["pk"], update_fields=["title", "data"]
        )
        there.refresh_from_db()
        assert (there.title, content(there.data)) == ("new", b"april")
        assert large_objects() == {there.data.entry.loid}

    def test_in_parts_and_from_a_coroutine(self, documents, rows, round_trips):
        objs = [documents(data=ContentFile(bytes([n]), f"{n}.txt")) for n in range(20)]
        async_to_sync(rows.abulk_create)(objs, batch_size=8)
        assert [content(row.data) for row in rows.order_by("pk")] == [bytes([n]) for n in range(20)]

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

    def test_a_row_that_is_read_again_knows_its_file_as_it_is(self, documents, rows):
        documents.objects.create(data=ContentFile(b"march", "a.txt"))
        row = rows.with_entries().get()
        assert row.data.entry.version == 1
        with transaction.atomic(), documents.objects.get().data.open("ab") as file:
            file.write(b" and april")
        row.refresh_from_db()
        assert (row.data.size, row.data.entry.version) == (15, 2)

    def test_a_file_that_is_written_to_is_asked_for_anew(self, documents, rows):
        documents.objects.create(data=ContentFile(b"march", "a.txt"))
        row = rows.with_entries().get()
        with row.data.open() as file:
            assert file.read() == b"march"
        with transaction.atomic(), row.data.open("r+b") as file:
            file.write(b"M")
        assert row.data.entry.version == 2

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
