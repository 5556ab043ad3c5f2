import pytest
from django.db import connection

from lo_storage.upkeep.objects import check_objects
from lo_storage.upkeep.rows import Naming, check_rows, naming_columns

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
        assert list(check_rows("default", column)) == []
        assert list(check_objects("default", [column])) == []
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"alter table lo_storage_tests_document rename column {quoted} to data")
