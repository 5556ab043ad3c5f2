import hashlib
import os
import re

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.db import connection, transaction

from lo_storage.models import LargeObject
from lo_storage.storage import DbFileStorage, db_file_storage

pytestmark = pytest.mark.django_db

MiB = 1024 * 1024


@pytest.mark.parametrize("size", [0, 1, 2048, MiB - 1, MiB, MiB + 1, 3 * MiB, 5_000_001])
def test_what_is_saved_is_read(size):
    data = os.urandom(size)
    name = db_file_storage.save("march.pdf", ContentFile(data))
    with db_file_storage.open(name) as file:
        assert file.read() == data
        assert file.size == size
    with db_file_storage.open(name) as file:
        assert b"".join(file.chunks(1000)) == data
    entry = LargeObject.objects.get(name=name)
    assert name == f"{entry.loid}.pdf"
    assert entry.sha256 == hashlib.sha256(data).hexdigest()
    assert (entry.size, entry.version, entry.original_name) == (size, 1, "march.pdf")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Ünïcode 発票 🧾.pdf", "Ünïcode 発票 🧾.pdf"),
        ('a "quoted" name.pdf', 'a "quoted" name.pdf'),
        ("two\nlines.pdf", "two\nlines.pdf"),
        ("no extension", "no extension"),
        ("several.dots.in.it.tar.gz", "several.dots.in.it.tar.gz"),
        ("x" * 300 + ".pdf", "x" * 300 + ".pdf"),
        ("x." + "y" * 300, "x." + "y" * 300),
        ("nul\0.pdf", "nul.pdf"),
        ("broken\ud800.pdf", "broken?.pdf"),
        ("folder/march.pdf", "march.pdf"),
    ],
)
def test_the_original_name_is_kept(given, kept):
    name = db_file_storage.save(given, ContentFile(b"x"))
    assert LargeObject.objects.get(name=name).original_name == kept
    assert db_file_storage.exists(name)
    assert len(name) <= 100


def test_small_files_are_one_round_trip(round_trips, save):
    with round_trips:
        name = save(b"x" * MiB)
        assert len(round_trips) == 1
        db_file_storage.exists(name)
        db_file_storage.size(name)
        db_file_storage.get_modified_time(name)
        db_file_storage.url(name)
        assert len(round_trips) == 4
        with db_file_storage.open(name) as file:
            file.read()
        assert len(round_trips) == 6
        db_file_storage.delete(name)
        assert len(round_trips) == 7


@pytest.mark.django_db(transaction=True)
def test_a_file_of_several_statements_that_breaks_off_leaves_nothing(large_objects):
    class Broken(ContentFile):
        def chunks(self, chunk_size=None):
            yield b"x" * 3 * MiB
            raise OSError("the client went away")

    before = large_objects()
    with pytest.raises(OSError, match="the client went away"):
        db_file_storage.save("x.bin", Broken(b""))
    assert large_objects() == before
    assert not LargeObject.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_save_and_delete_obey_the_transaction(large_objects, save):
    kept = save()
    before = large_objects()
    with transaction.atomic():
        save(b"x" * 2 * MiB)
        db_file_storage.delete(kept)
        assert len(large_objects()) == 1
        assert not db_file_storage.exists(kept)
        transaction.set_rollback(True)
    assert large_objects() == before
    with db_file_storage.open(kept) as file:
        assert file.read() == b"content"


@pytest.mark.parametrize(
    "spelling",
    [
        "+{}.txt",
        "0{}.txt",
        "{}.html",
        "{}",
        "{}.txt.txt",
        "{}.TXT",
        " {}.txt",
        "{}.txt ",
        "./{}.txt",
    ],
)
def test_another_spelling_is_no_file(save, spelling):
    name = save()
    wrong = spelling.format(name.removesuffix(".txt"))
    assert not db_file_storage.exists(wrong)
    for call in (db_file_storage.open, db_file_storage.size, db_file_storage.get_created_time):
        with pytest.raises(FileNotFoundError):
            call(wrong)
    db_file_storage.delete(wrong)
    assert db_file_storage.exists(name)


def test_what_is_no_name_at_all_is_no_file():
    for name in ("12.pdf\0", "12.\ud800", "4294967296.pdf", "١٢.pdf", "a/b", ".."):
        assert not db_file_storage.exists(name)
        assert not db_file_storage.is_valid_name(name)
        with pytest.raises(FileNotFoundError):
            db_file_storage.open(name)
        db_file_storage.delete(name)


def test_opening_what_does_not_exist_leaves_the_transaction_usable(save):
    with transaction.atomic():
        with pytest.raises(FileNotFoundError, match="no such file in the large object catalogue"):
            db_file_storage.open("4294967295.pdf")
        assert db_file_storage.exists(save())


@pytest.mark.parametrize("mode", ["rb", "r+b", "wb", "w+b", "ab", "a+b"])
def test_opening_creates_nothing(mode, large_objects):
    """Not where Django's would: PostgreSQL gives the names."""
    before = large_objects()
    with pytest.raises(FileNotFoundError):
        db_file_storage.open("4294967295.pdf", mode)
    assert large_objects() == before


@pytest.mark.parametrize("mode", ["r", "w", "rt", "a+"])
def test_text_modes_are_refused(save, mode):
    with pytest.raises(ValueError, match=f"invalid mode: '{re.escape(mode)}'"):
        db_file_storage.open(save(), mode)


def test_another_application_s_large_object_is_out_of_reach(large_objects):
    with connection.cursor() as cursor:
        cursor.execute("select lo_from_bytea(0, 'theirs')")
        (loid,) = cursor.fetchone()
    for name in (str(loid), f"{loid}.txt"):
        assert not db_file_storage.exists(name)
        with pytest.raises(FileNotFoundError):
            db_file_storage.open(name)
        db_file_storage.delete(name)
    assert db_file_storage.listdir("") == ([], [])
    assert loid in large_objects()


def test_open_to_write_empties_and_to_append_does_not(save):
    name = save(b"old")
    with db_file_storage.open(name, "ab") as file:
        assert file.size == 3
        file.write(b"er")
        assert file.size == 5
    with db_file_storage.open(name) as file:
        assert file.read() == b"older"
    with db_file_storage.open(name, "wb") as file:
        file.write(b"x")
    with db_file_storage.open(name) as file:
        assert file.read() == b"x"


def test_a_file_opened_again_to_write_is_emptied(save):
    with db_file_storage.open(save(b"abc")) as file:
        assert file.read() == b"abc"
        file.open("wb").write(b"x")
        assert file.open("rb").read() == b"x"


def test_deleting_what_is_not_there(save):
    name = save()
    with transaction.atomic():
        db_file_storage.delete(name)
        db_file_storage.delete(name)
        assert not db_file_storage.exists(name)
    with pytest.raises(ValueError, match="name must be given"):
        db_file_storage.delete("")


def test_listdir(save):
    names = [save(), save()]
    for folder in ("", ".", "/", "./"):
        assert db_file_storage.listdir(folder) == ([], names)
    with pytest.raises(FileNotFoundError):
        db_file_storage.listdir("invoices")


def test_nobody_knows_when_a_file_was_read(save):
    with pytest.raises(NotImplementedError, match="does not record"):
        db_file_storage.get_accessed_time(save())


def test_a_file_has_no_path(save):
    with pytest.raises(NotImplementedError, match="doesn't support absolute paths"):
        db_file_storage.path(save())


def test_a_name_that_may_not_fit_the_column_is_refused_as_django_refuses():
    with pytest.raises(SuspiciousFileOperation, match='sufficient "max_length" \\(15\\)'):
        db_file_storage.save("x.jpeg", ContentFile(b""), max_length=14)
    assert db_file_storage.save("x.jpeg", ContentFile(b""), max_length=15)


def test_the_storage_of_a_migration_is_the_same_one():
    storage = DbFileStorage("/invoice", alias="default")
    assert storage.deconstruct() == (
        "lo_storage.storage.DbFileStorage",
        ("/invoice",),
        {"alias": "default"},
    )


@pytest.mark.django_db(transaction=True)
def test_a_file_that_a_replica_lacks_is_read_from_the_writer(save, settings, another_alias):
    """The replica is the same database, seen by a search path with an empty catalogue."""
    with connection.cursor() as cursor:
        cursor.execute("create schema replica")
        cursor.execute("create table replica.lo_storage_largeobject (like lo_storage_largeobject)")
    another_alias("replica", options="-c search_path=replica")
    name = save(b"abc")
    settings.PG_LO_STORAGE_DB_FOR_READ = "replica"
    try:
        assert db_file_storage.listdir("") == ([], [])
        assert db_file_storage.locate(name)[0] == "default"
        with db_file_storage.open(name) as file:
            assert file.read() == b"abc"
        assert not db_file_storage.exists("4294967295.txt")
        with pytest.raises(FileNotFoundError):
            db_file_storage.open("4294967295.txt")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("drop schema replica cascade")
