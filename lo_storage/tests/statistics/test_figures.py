from datetime import UTC, date, datetime

import pytest
from django.db import connection, transaction
from django.utils import timezone

from lo_storage.models import LargeObject
from lo_storage.statistics import figures
from lo_storage.statistics.figures import Field, Sum, Unnamed, gather

from ..models import Attachment, Document

pytestmark = pytest.mark.usefixtures("nothing_of_other_tests", "installed_documents")

DATA, SCAN = "lo_storage_tests.Document.data", "lo_storage_tests.Document.scan"


def of_our_tables(found):
    return [field for field in found.fields if "lo_storage_tests" in field.name]


def test_nothing():
    found = gather("default")
    assert (found.files, found.bytes, found.missing, found.objects_of_others) == (0, 0, 0, 0)
    assert (found.months, found.types, found.owners, found.largest) == ([], [], [], [])
    assert found.other_types == Sum("", 0, 0)
    assert (found.unnamed.files, found.unnamed.bytes, found.unnamed.objects) == (0, 0, 0)
    assert of_our_tables(found)[:2] == [Field(DATA, 0, 0, 0), Field(SCAN, 0, 0, 0)]


def test_files_and_their_bytes_by_type_and_owner(save):
    for content, name in [(b"a" * 10, "a.PDF"), (b"b", "b.pdf"), (b"", "c.tar.gz"), (b"dd", "d")]:
        save(content, name)
    found = gather("default")
    assert (found.files, found.bytes) == (4, 13)
    assert found.types == [Sum(".pdf", 2, 11), Sum("", 1, 2), Sum(".tar.gz", 1, 0)]
    with connection.cursor() as cursor:
        cursor.execute("select current_user")
        (role,) = cursor.fetchone()
    assert found.owners == [Sum(role, 4, 13)]


def test_beyond_the_types_of_most_bytes_there_is_a_sum(save, monkeypatch):
    monkeypatch.setattr(figures, "MOST", 1)
    for name in ["a.pdf", "b.txt", "c.png"]:
        save(b"x" * (5 if name == "a.pdf" else 2), name)
    found = gather("default")
    assert found.types == [Sum(".pdf", 1, 5)]
    assert found.other_types == Sum("", 2, 4)


def test_the_largest_come_first(save):
    names = [save(b"x" * size, f"{size}.txt") for size in (3, 30, 3000)]
    found = gather("default").largest
    assert [one.name for one in found] == names[::-1]
    assert (found[0].original_name, found[0].bytes) == ("3000.txt", 3000)


def test_a_month_is_of_the_time_zone_of_the_site(save):
    LargeObject.objects.filter(name=save(b"four")).update(
        created_at=datetime(2026, 2, 28, 23, 30, tzinfo=UTC)
    )
    LargeObject.objects.filter(name=save(b"five.")).update(
        created_at=datetime(2026, 1, 5, tzinfo=UTC)
    )
    with timezone.override("UTC"):
        assert gather("default").months == [(date(2026, 1, 1), 1, 5), (date(2026, 2, 1), 1, 4)]
    with timezone.override("Europe/Berlin"):
        assert gather("default").months == [(date(2026, 1, 1), 1, 5), (date(2026, 3, 1), 1, 4)]


def test_a_field_counts_its_rows_and_each_file_once(save):
    name = save(b"four")
    for _ in range(3):
        Document.objects.create(data=name)
    Document.objects.create(data=save(b"seventy"), scan=name)
    Document.objects.create()
    Attachment.objects.create(data=name)
    found = gather("default")
    assert of_our_tables(found) == [
        Field(DATA, 4, 2, 11),
        Field(SCAN, 1, 1, 4),
        Field("lo_storage_tests_attachment.data", 1, 1, 4),
    ]
    assert found.not_looked_at == []


def test_what_nobody_names_and_what_nobody_catalogued(save):
    Document.objects.create(data=save(b"named"))
    old, young = save(b"four"), save(b"young")
    LargeObject.objects.exclude(name=young).update(created_at=datetime(2026, 1, 5, tzinfo=UTC))
    with connection.cursor() as cursor:
        cursor.execute("select lo_from_bytea(0, 'ours')")
    found = gather("default")
    assert found.objects_of_others == 1
    assert found.unnamed._replace(not_searched=[]) == Unnamed(1, 4, 1, [])
    assert gather("default", find_unnamed=False).unnamed is None
    assert old  # was the one


def test_a_file_without_its_object(save):
    LargeObject.objects.get(name=(name := save(b"four")))
    with connection.cursor() as cursor:
        cursor.execute("select lo_unlink(%s)", [name.partition(".")[0]])
    found = gather("default")
    assert (found.files, found.missing, found.owners) == (1, 1, [])


def test_another_role_s_files_are_counted(save, somebody_else, guest):
    somebody_else(save(b"four"))
    assert gather("default").owners == [Sum(guest, 1, 4)]


def test_the_tables_on_disk(save):
    save(b"x" * 100_000)
    tables = {table.name: table for table in gather("default").tables}
    assert sorted(tables) == [
        "lo_storage_largeobject",
        "pg_largeobject",
        "pg_largeobject_metadata",
    ]
    assert all(table.bytes > 0 for table in tables.values())


@pytest.mark.parametrize(
    ("live", "dead", "estimate"), [(0, 0, 0), (1, 1, 4096), (0, 5, 8192), (3, 0, 0)]
)
def test_dead_space_is_estimated_by_the_share_of_dead_rows(live, dead, estimate):
    table = figures._table("pg_largeobject", 20_000, 8192, live, dead, None)
    assert (table.bytes, table.dead_rows, table.dead_bytes) == (20_000, dead, estimate)


def test_all_of_it_is_of_one_moment_and_nothing_can_be_changed(save, monkeypatch, other_session):
    """What comes while it counts is seen by none of its queries."""
    save(b"one")

    def field(cursor, column):
        other_session.execute(
            "insert into lo_storage_largeobject"
            "       (loid, name, original_name, size, version, created_at, modified_at)"
            " select loid, loid || '.txt', '', 1, 1, now(), now()"
            "   from (select lo_from_bytea(0, 'a') offset 0) as made (loid)"
        )
        cursor.execute("show transaction_read_only")
        assert cursor.fetchone() == ("on",)
        return Field("", 0, 0, 0)

    monkeypatch.setattr(figures, "_field", field)
    found = gather("default")
    assert LargeObject.objects.count() > 1
    assert (found.files, found.objects_of_others, len(found.largest)) == (1, 0, 1)
    LargeObject.objects.all().delete()


def test_in_a_transaction_it_sees_what_the_transaction_does(save):
    with transaction.atomic():
        save(b"one")
        assert gather("default").files == 1
        save(b"two")  # which may still write
