import pytest
from django.db import connection

from lo_storage.models import LargeObject
from lo_storage.upkeep.mending import (
    mend_files,
    mend_objects,
    mend_owners,
    mend_references,
    mend_rows,
)
from lo_storage.upkeep.references import problems, problems_of_catalogue

from ..models import Document

TABLE, NAME = "lo_storage_tests_document", "lo_storage_tests_document_data"
DATA = Document._meta.constraints[0]
MISSING = "4000000000.pdf"


def sql(*statements):
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def loid(name):
    return name.partition(".")[0]


@pytest.fixture(autouse=True)
def nothing_of_other_tests(installed_documents):
    clean = (
        "select lo_unlink(oid) from pg_largeobject_metadata object"
        " where pg_has_role(lomowner, 'usage')"
        "   and not exists (select from lo_storage_largeobject where loid = object.oid)"
    )
    sql(clean)
    yield
    sql(clean)


@pytest.fixture
def unreferenced():
    """The table has no reference, as after a restore that failed; a mend puts it back."""
    sql(
        f"alter table {TABLE} drop constraint {NAME}",
        f"drop trigger {NAME}_release on {TABLE}",
        f"drop index {NAME}_idx",
    )
    yield
    Document.objects.filter(data__in=[MISSING]).delete()
    list(mend_references("default", apply=True))
    assert problems("default", Document, DATA) == []


def test_nothing_is_done_where_nothing_is_wrong(save):
    Document.objects.create(data=save())
    for mend in (mend_files, mend_objects, mend_owners, mend_references, mend_rows):
        assert list(mend("default", apply=True)) == []


def test_rows_that_name_what_is_lost_name_nothing(unreferenced, save):
    kept = save()
    lost, row = Document.objects.bulk_create([Document(data=MISSING), Document(data=kept)])
    where = f"lo_storage_tests.Document.data, row {lost.pk}"
    for apply in (False, True):
        assert list(mend_rows("default", apply)) == [(where, f"{MISSING} becomes NULL", None)]
        lost.refresh_from_db()
        assert lost.data.name == (None if apply else MISSING)
    row.refresh_from_db()
    assert row.data.name == kept
    assert list(mend_rows("default", apply=True)) == []


def test_a_column_that_must_name_something_is_refused(unreferenced):
    row = Document.objects.create(data=MISSING)
    sql(f"alter table {TABLE} alter column data set not null")
    try:
        ((_, _, refusal),) = mend_rows("default", apply=True)
    finally:
        sql(f"alter table {TABLE} alter column data drop not null")
    assert 'null value in column "data"' in refusal
    row.refresh_from_db()
    assert row.data.name == MISSING


def test_what_was_lost_with_its_catalogue_row_is_adopted_first(unreferenced):
    """A row whose large object is there loses nothing."""
    with connection.cursor() as cursor:
        cursor.execute("select lo_from_bytea(0, 'abc')")
        (number,) = cursor.fetchone()
    Document.objects.create(data=f"{number}.pdf")
    assert list(mend_rows("default", apply=True)) == []
    assert list(mend_objects("default", apply=True)) == []
    Document.objects.all().delete()


def test_files_without_their_object(save):
    kept, lost, unnamed = save(), save(), save()
    rows = [Document.objects.create(data=name) for name in (kept, lost)]
    sql(f"select lo_unlink({loid(lost)})", f"select lo_unlink({loid(unnamed)})")
    what = "is deleted from the catalogue, and rows name nothing"
    for apply in (False, True):
        assert list(mend_files("default", apply)) == [(lost, what, None), (unnamed, what, None)]
        assert LargeObject.objects.count() == (1 if apply else 3)
    for row in rows:
        row.refresh_from_db()
    assert [row.data.name for row in rows] == [kept, None]
    assert list(mend_files("default", apply=True)) == []


def test_objects_that_were_ours_are_files_again(save):
    save()
    with connection.cursor() as cursor:
        cursor.execute("select lo_from_bytea(0, 'abc')")
        (number,) = cursor.fetchone()
    for apply in (False, True):
        assert list(mend_objects("default", apply)) == [
            (f"large object {number}", f"is catalogued as {number}", None)
        ]
    entry = LargeObject.objects.get(loid=number)
    assert (entry.name, entry.size) == (str(number), 3)
    assert list(mend_objects("default", apply=True)) == []


def test_owners_are_given_by_who_may(save, somebody_else, guest):
    ours, theirs = save(), save()
    somebody_else(theirs)
    ((where, what, refusal),) = mend_owners("default", apply=False)
    assert (where, what, refusal) == (theirs, f"goes from {guest} to this role", None)
    ((_, _, refusal),) = mend_owners("default", apply=True)
    assert "must be owner of large object" in refusal
    assert LargeObject.objects.get(name=ours)


def test_a_reference_that_rows_break_is_refused(unreferenced):
    row = Document.objects.create(data=MISSING)
    ((where, _, refusal),) = mend_references("default", apply=True)
    assert where == "lo_storage_tests.Document.data"
    assert f'violates foreign key constraint "{NAME}"' in refusal
    row.delete()


@pytest.mark.parametrize(
    "damage",
    [
        f"alter table {TABLE} drop constraint {NAME}",
        f"drop index {NAME}_idx",
        f"drop trigger {NAME}_release on {TABLE}",
        f"alter table {TABLE} disable trigger {NAME}_release",
        f"create or replace function {NAME}_release() returns trigger language plpgsql as"
        " 'begin return null; end'",
        f"drop function {NAME}_release() cascade",
        "alter table lo_storage_largeobject disable trigger lo_storage_unlink",
        "drop trigger lo_storage_unlink_all on lo_storage_largeobject",
        "drop function lo_storage_unlink_v2() cascade",
        "alter table lo_storage_largeobject drop constraint lo_storage_largeobject_name_of_loid",
        "alter table lo_storage_largeobject drop constraint lo_storage_largeobject_pkey",
    ],
)
def test_what_is_missing_disabled_or_old_is_put_back(damage, save, large_objects):
    row = Document.objects.create(data=save())
    sql(damage)
    for apply in (False, True):
        (mended,) = mend_references("default", apply)
        assert mended.refusal is None
    assert problems("default", Document, DATA) == problems_of_catalogue("default") == []
    assert list(mend_references("default", apply=True)) == []
    row.delete()
    assert large_objects() == set()
