import pytest
from django.db import connection

from lo_storage.upkeep.references import (
    check_catalogue,
    check_references,
    check_undeclared,
    problems,
    problems_of_catalogue,
)

from ..databases import administrator
from ..models import Document

TABLE, NAME = "lo_storage_tests_document", "lo_storage_tests_document_data"
DATA, SCAN = Document._meta.constraints


@pytest.fixture
def sql(installed_documents):
    """A function that damages what the fixture then makes anew."""

    def execute(*statements):
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    return execute


def found():
    assert problems("default", Document, SCAN) == []  # The other one is whole.
    findings = list(check_references("default"))
    assert {(one.level, one.kind, one.where) for one in findings} <= {
        ("error", "reference", "lo_storage_tests.Document.data")
    }
    assert [one.what for one in findings] == problems("default", Document, DATA)
    return [one.what for one in findings]


def test_what_migrate_makes_is_whole(sql):
    assert found() == []
    assert list(check_catalogue("default")) == []


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (f"alter table {TABLE} drop constraint {NAME}", "the foreign key NAME is missing"),
        (f"drop index {NAME}_idx", "the index NAME_idx is missing"),
        (f"drop trigger {NAME}_release on {TABLE}", "the trigger NAME_release is missing"),
        (
            f"alter table {TABLE} disable trigger {NAME}_release",
            "the trigger NAME_release is disabled",
        ),
        (
            f"alter table {TABLE} enable replica trigger {NAME}_release",
            "the trigger NAME_release is disabled",
        ),
        (
            f"create or replace function {NAME}_release() returns trigger language plpgsql as"
            " 'begin return null; end'",
            "the function of the trigger NAME_release is not the library's present one",
        ),
        (
            f"drop trigger {NAME}_release on {TABLE};"
            f"create constraint trigger {NAME}_release after update or delete on {TABLE}"
            " deferrable initially deferred for each row"
            f" execute function lo_storage_release_v1('{NAME}')",
            "the function of the trigger NAME_release is not the library's present one",
        ),
        (
            f"drop trigger {NAME}_release on {TABLE};"
            f"create trigger {NAME}_release after update or delete on {TABLE}"
            f" for each row execute function {NAME}_release('{NAME}')",
            "the trigger NAME_release is not deferred",
        ),
        (
            f"alter table {TABLE} drop constraint {NAME};"
            f"alter table {TABLE} add constraint {NAME} foreign key (data)"
            " references lo_storage_largeobject (name) deferrable initially deferred not valid",
            "the foreign key NAME is not validated",
        ),
        (
            f"alter table {TABLE} alter constraint {NAME} not deferrable",
            "the foreign key NAME is not deferred",
        ),
        (
            f"alter table {TABLE} drop constraint {NAME};"
            f"alter table {TABLE} add constraint {NAME} foreign key (scan)"
            " references lo_storage_largeobject (name) deferrable initially deferred",
            "the foreign key NAME is of another column",
        ),
    ],
)
def test_what_is_damaged(sql, damage, what):
    sql(damage)
    try:
        (told,) = found()
    finally:
        sql(
            f"alter table {TABLE} drop constraint if exists {NAME}",
            f"drop index if exists {NAME}_idx",
            f"drop trigger if exists {NAME}_release on {TABLE}",
            f"drop function if exists {NAME}_release()",
        )
        with connection.schema_editor() as editor:
            editor.add_constraint(Document, DATA)
    assert told.startswith(what.replace("NAME", NAME))
    assert found() == []


def test_a_renamed_column_keeps_its_trigger(sql):
    """The function finds the column by the foreign key, and is no old one for that."""
    field = Document._meta.get_field("data")
    sql(f"alter table {TABLE} rename column data to paper")
    field.column = "paper"
    try:
        assert found() == []
    finally:
        field.column = "data"
        sql(f"alter table {TABLE} rename column paper to data")


@pytest.mark.parametrize(
    ("damage", "mend", "what"),
    [
        (
            "alter table lo_storage_largeobject disable trigger lo_storage_unlink",
            "alter table lo_storage_largeobject enable trigger lo_storage_unlink",
            "the trigger lo_storage_unlink is disabled: large objects outlive their files",
        ),
        (
            "alter trigger lo_storage_unlink_all on lo_storage_largeobject rename to elsewhere",
            "alter trigger elsewhere on lo_storage_largeobject rename to lo_storage_unlink_all",
            "the trigger lo_storage_unlink_all is missing: large objects outlive their files",
        ),
        (
            "create or replace trigger lo_storage_unlink after delete on lo_storage_largeobject"
            " for each row execute function lo_storage_unlink_v1()",
            "create or replace trigger lo_storage_unlink after delete on lo_storage_largeobject"
            " for each row execute function lo_storage_unlink_v3()",
            "the trigger lo_storage_unlink calls lo_storage_unlink_v1, which is not the present"
            " one",
        ),
        (
            "alter table lo_storage_largeobject rename constraint"
            " lo_storage_largeobject_name_of_loid to elsewhere",
            "alter table lo_storage_largeobject rename constraint"
            " elsewhere to lo_storage_largeobject_name_of_loid",
            "the constraint lo_storage_largeobject_name_of_loid is missing",
        ),
    ],
)
def test_what_is_damaged_of_the_catalogue(sql, damage, mend, what):
    sql(damage)
    try:
        assert problems_of_catalogue("default") == [what]
        (told,) = check_catalogue("default")
    finally:
        sql(mend)
    assert (told.level, told.kind, told.where) == ("error", "catalogue", "lo_storage_largeobject")


# `Attachment` has a table with a reference, and is no model that is installed.
OTHER, OF_OTHER = "lo_storage_tests_attachment", "lo_storage_tests_attachment_data"


@pytest.mark.parametrize(
    ("damage", "level", "what"),
    [
        (
            f"alter table {OTHER} drop constraint {OF_OTHER}",
            "error",
            f"the trigger {OF_OTHER}_release misses its foreign key: each change of a file in"
            f" {OTHER} is refused",
        ),
        (
            f"alter table {OTHER} disable trigger {OF_OTHER}_release",
            "warning",
            f"the trigger {OF_OTHER}_release, which no model declares, is disabled",
        ),
        (
            f"alter table {OTHER} drop constraint {OF_OTHER}, add constraint {OF_OTHER}"
            " foreign key (data) references lo_storage_largeobject (name) deferrable not valid",
            "warning",
            f"the foreign key {OF_OTHER}, which no model declares, is not validated: rows may"
            " break it",
        ),
    ],
)
def test_a_reference_that_no_model_declares(sql, damage, level, what):
    assert list(check_undeclared("default")) == []
    sql(damage)
    (finding,) = check_undeclared("default")
    assert (finding.level, finding.kind, finding.where) == (level, "reference", OTHER)
    assert finding.what == what
    assert f"of {OTHER} by a migration, or declare" in finding.mend


def test_what_a_model_declares_is_told_once(sql):
    sql(f"alter table {TABLE} disable trigger {NAME}_release")
    assert list(check_undeclared("default")) == []


def test_a_disabled_foreign_key_that_no_model_declares(sql):
    with administrator(connection.settings_dict["NAME"]) as session:
        session.execute(f"alter table {OTHER} disable trigger all")
    kinds = {finding.what.split(",")[0] for finding in check_undeclared("default")}
    assert kinds == {f"the foreign key {OF_OTHER}", f"the trigger {OF_OTHER}_release"}
