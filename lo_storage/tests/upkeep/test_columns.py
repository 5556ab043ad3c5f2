import pytest

from lo_storage.upkeep.columns import (
    RowsElsewhere,
    columns_beside,
    columns_elsewhere,
    file_columns,
)

from ..models import Document


@pytest.mark.parametrize("alias", [None, "default"])
def test_the_file_columns_of_a_database(installed_documents, alias):
    assert [(model, field.name) for model, field in file_columns(alias)] == [
        (Document, "data"),
        (Document, "scan"),
    ]


def test_a_database_without_file_columns(installed_documents):
    assert list(file_columns("other")) == []


def test_rows_and_files_in_one_database(installed_documents):
    assert columns_elsewhere("default") == []
    assert columns_beside("default") == list(file_columns("default"))


def test_rows_in_another_database_than_their_files(rows_elsewhere):
    assert columns_elsewhere("default") == [
        "lo_storage_tests.Document.data",
        "lo_storage_tests.Document.scan",
    ]
    with pytest.raises(RowsElsewhere, match=r"Document\.scan are not in the database 'default'"):
        columns_beside("default")
