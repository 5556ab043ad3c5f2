import pytest
from django.db import connection

from lo_storage.models import LargeObject
from lo_storage.upkeep import checking
from lo_storage.upkeep.checking import Naming, check_files, naming_columns, parts

from ..models import Document


def test_the_columns_are_those_of_the_models_and_of_the_foreign_keys(installed_documents):
    """`Attachment` is not installed, and its foreign key is in the database."""
    columns = [column for column in naming_columns("default") if "lo_storage_tests" in column.label]
    table = '"lo_storage_tests_document"'
    attachment = "lo_storage_tests_attachment"
    assert columns == [
        Naming("lo_storage_tests.Document.data", table, "data", ["id"], True),
        Naming("lo_storage_tests.Document.scan", table, "scan", ["id"], True),
        Naming(f"{attachment}.data", attachment, "data", ["id"], True),
    ]


def test_parts_are_all_of_the_catalogue(installed_documents, save, monkeypatch):
    monkeypatch.setattr(checking, "FILES", 2)
    assert parts("default") == []
    names = [save() for _ in range(5)]
    found = parts("default")
    assert [part.files for part in found] == [2, 2, 1]
    assert [part.after for part in found] == [0, *(part.last for part in found[:-1])]
    # Each is looked at, whichever part it is in.
    LargeObject.objects.update(size=1)
    told = []
    findings = list(check_files("default", found, 1, told.append))
    assert [finding.name for finding in findings] == names
    assert told == [2, 2, 1]
    LargeObject.objects.update(size=len(b"content"))  # With their objects they go.


def test_many_descriptors_are_never_open_at_once(installed_documents, monkeypatch):
    """PostgreSQL looks for a free one in a list: with thousands each would take ever longer."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into lo_storage_largeobject"
            "       (loid, name, original_name, size, version, created_at, modified_at)"
            " select loid, loid || '.txt', '', 1, 1, now(), now()"
            "   from (select lo_from_bytea(0, 'a') from generate_series(1, 300)) as made (loid)"
        )
    (part,) = parts("default")
    assert list(check_files("default", [part], 1, lambda files: None)) == []
    # The number of a descriptor is the lowest that is free.
    (opened,) = (line for line in checking.FILES_OF_PART.splitlines() if "lo_open" in line)
    assert "as fd" in opened
    query = checking.FILES_OF_PART.replace("measured <> size", "fd > 0")
    with connection.cursor() as cursor:
        cursor.execute("begin")
        cursor.execute(query, part._asdict())
        assert cursor.fetchall() == []
        cursor.execute("rollback")


@pytest.mark.parametrize("name", ["da ta", "da%ta", "Data"])
def test_a_column_of_any_name(installed_documents, nothing_of_other_tests, save, name, monkeypatch):
    quoted = connection.ops.quote_name(name)
    field = Document._meta.get_field("data")
    with connection.cursor() as cursor:
        cursor.execute(f"alter table lo_storage_tests_document rename column data to {quoted}")
    monkeypatch.setattr(field, "column", name)
    try:
        column = naming_columns("default")[0]
        assert (column.label, column.column) == ("lo_storage_tests.Document.data", quoted)
        assert list(checking.check_rows("default", column)) == []
        assert list(checking.check_objects("default", [column])) == []
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"alter table lo_storage_tests_document rename column {quoted} to data")
