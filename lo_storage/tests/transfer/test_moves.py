"""What cannot be moved is refused before anything is."""

import pytest
from django.core.management import CommandError
from django.db import models, transaction

from ..commands import run
from .steps import COLUMN, lo_import


@pytest.mark.parametrize("autocommit", [True, False])
def test_a_source_is_not_deleted_in_a_transaction_that_may_be_rolled_back(
    letter, folder, autocommit
):
    row = letter("a.pdf")
    if autocommit:
        with (
            pytest.raises(CommandError, match="is in a transaction") as raised,
            transaction.atomic(),
        ):
            lo_import(folder, delete_source=True)
    else:
        transaction.set_autocommit(False)
        try:
            with pytest.raises(CommandError, match="is in a transaction") as raised:
                lo_import(folder, delete_source=True)
        finally:
            transaction.rollback()
            transaction.set_autocommit(True)
    assert raised.value.returncode == 2
    row.refresh_from_db()
    assert (row.data.name, (folder / "a.pdf").exists()) == ("a.pdf", True)
    with transaction.atomic():
        assert lo_import(folder) == "Moved: 1. Not moved: 0.\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"from_field": "title"}, "holds no files"),
        ({"from_field": "nothing"}, "has no field 'nothing'"),
        ({"from_field": "data"}, "another column"),
        ({"from": "/nowhere"}, "no alias of STORAGES, and no folder"),
        ({}, "say where the files are"),
        ({"from": "default", "from_field": "scan"}, "say where the files are"),
        ({"from": ".", "adopt": True}, "--adopt is about large objects"),
        ({"from": "default", "jobs": 0}, "--jobs is a number"),
        ({"from": "default", "name_field": "nothing"}, "has no field 'nothing'"),
    ],
)
def test_what_cannot_begin_says_why(letters, options, words):
    with pytest.raises(CommandError, match=words) as raised:
        run("lo_import", column=COLUMN, **options)
    assert raised.value.returncode == 2


def test_a_column_with_a_reference_takes_no_other_names(letters, tmp_path):
    with pytest.raises(CommandError, match="LargeObjectReference 'lo_storage_tests_document_data'"):
        run("lo_export", column="lo_storage_tests.Document.data", to=str(tmp_path))


def test_from_the_library_to_itself_nothing_is_moved(letters, settings):
    ours = {"BACKEND": "lo_storage.storage.DbFileStorage"}
    settings.STORAGES = settings.STORAGES | {"ours": ours}
    with pytest.raises(CommandError, match="both storages are of this library"):
        lo_import("ours")
    with pytest.raises(CommandError, match="both storages are of this library"):
        run("lo_export", column=COLUMN, to="ours")


def test_a_column_that_may_not_be_null_is_not_emptied(letters, monkeypatch):
    monkeypatch.setattr(letters._meta.get_field("content"), "null", False)
    assert isinstance(letters._meta.get_field("content"), models.BinaryField)
    with pytest.raises(CommandError, match="may not be NULL"):
        run("lo_import", column=COLUMN, from_field="content", delete_source=True)
