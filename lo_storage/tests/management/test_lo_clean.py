from datetime import timedelta

import pytest
from django.core.management import CommandError
from django.utils import timezone

from lo_storage.models import LargeObject

from ..commands import run
from ..models import Attachment, Document


def test_clean_lists_and_deletes_what_no_row_names(installed_documents, save, large_objects):
    named, unnamed = save(), save(b"12345", "lost.txt")
    Document.objects.create(data=named)
    listed = f"{unnamed}\t5\tlost.txt\n"
    assert run("lo_clean", hours=0) == (
        f"{listed}Files that no row names: 1. --delete deletes them.\n"
    )
    assert LargeObject.objects.count() == 2
    assert run("lo_clean", hours=0, delete=True) == f"{listed}Files deleted: 1\n"
    assert [entry.name for entry in LargeObject.objects.all()] == [named]
    assert len(large_objects()) == 1


def test_clean_leaves_the_young_alone(installed_documents, save):
    save()
    assert run("lo_clean", delete=True) == "Files deleted: 0\n"
    LargeObject.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert run("lo_clean", delete=True).endswith("Files deleted: 1\n")


def test_clean_deletes_nothing_that_an_unknown_table_names(installed_documents, save):
    save()
    Attachment.objects.create(data=save())
    with pytest.raises(CommandError, match="a table that no installed model describes names"):
        run("lo_clean", hours=0, delete=True)
    assert LargeObject.objects.count() == 2


def test_rows_in_another_database_are_not_taken_for_none(save, rows_elsewhere):
    save()
    with pytest.raises(CommandError, match="rows of lo_storage_tests"):
        run("lo_clean")
    assert LargeObject.objects.count() == 1
