import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from lo_storage.models import LargeObject
from lo_storage.upkeep.mending import (
    mend_files,
    mend_objects,
    mend_owners,
    mend_references,
    mend_rows,
)
from lo_storage.upkeep.references import problems, problems_of_catalogue

from ..databases import added_alias, sql
from ..models import Document

TABLE, NAME = "lo_storage_tests_document", "lo_storage_tests_document_data"
DATA = Document._meta.constraints[0]
MISSING = "4000000000.pdf"

pytestmark = pytest.mark.usefixtures("nothing_of_other_tests", "installed_documents")


def loid(name):
    return name.partition(".")[0]


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
        "drop function lo_storage_unlink_v3() cascade",
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


def test_a_name_that_may_be_of_a_file_on_disk_is_kept(unreferenced):
    row = Document.objects.create(data="scans/letter 7.pdf")
    ((_, _, refusal),) = mend_rows("default", apply=True)
    assert "perhaps that of a file on disk" in refusal
    row.refresh_from_db()
    assert row.data.name == "scans/letter 7.pdf"
    row.delete()


def test_a_file_whose_object_comes_back_meanwhile_is_kept(save):
    name = save()
    row = Document.objects.create(data=name)
    sql(
        f"select lo_unlink({loid(name)})",
        "create function comes_back() returns trigger language plpgsql as"
        f" $$begin perform lo_from_bytea({loid(name)}, 'x'); return new; end$$",
        f"create trigger comes_back before update on {TABLE}"
        " for each row execute function comes_back()",
    )
    try:
        ((_, _, refusal),) = mend_files("default", apply=True)
    finally:
        sql("drop function comes_back() cascade")
    assert "come back meanwhile" in refusal
    row.refresh_from_db()
    assert (row.data.name, LargeObject.objects.count()) == (name, 1)
    assert len(list(mend_files("default", apply=True))) == 1


def test_an_object_of_another_application_is_given_to_nobody(save, somebody_else):
    theirs = save()
    somebody_else(theirs)
    sql("create table elsewhere (data oid)", f"insert into elsewhere values ({loid(theirs)})")
    try:
        ((_, _, refusal),) = mend_owners("default", apply=False)
    finally:
        sql("drop table elsewhere")
    assert "may be another application's" in refusal


def test_who_does_not_see_all_that_names_files_deletes_and_catalogues_none(save):
    lost = save()
    sql(
        f"select lo_unlink({loid(lost)})",
        "select lo_from_bytea(0, 'abc')",
        *(f"alter table {TABLE} {word} row level security" for word in ("enable", "force")),
    )
    try:
        for mend in (mend_files, mend_objects):
            assert {refusal for _, _, refusal in mend("default", apply=True)} == {
                "this role does not see all that may name files, so nothing is done"
            }
    finally:
        sql(f"alter table {TABLE} no force row level security, disable row level security")
    assert LargeObject.objects.count() == 1
    LargeObject.objects.all().delete()


def test_by_another_alias_of_the_database_the_same_rows_are_seen(unreferenced):
    row = Document.objects.create(data=MISSING)
    with added_alias("second") as alias:
        ((_, what, refusal),) = mend_rows(alias, apply=True)
    assert (what, refusal) == (f"{MISSING} becomes NULL", None)
    row.refresh_from_db()
    assert row.data.name is None


def test_what_a_migration_will_make_is_left_to_it():
    recorder = MigrationRecorder(connection)
    (last,) = MigrationLoader(connection).graph.leaf_nodes("lo_storage")
    sql("alter table lo_storage_largeobject disable trigger lo_storage_unlink")
    recorder.record_unapplied(*last)
    try:
        ((_, _, refusal),) = mend_references("default", apply=True)
        assert "run manage.py migrate first" in refusal
        assert problems_of_catalogue("default")
    finally:
        recorder.record_applied(*last)
        list(mend_references("default", apply=True))
    assert problems_of_catalogue("default") == []
