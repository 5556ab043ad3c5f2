from datetime import timedelta

import pytest
from django.core.management import CommandError
from django.db import connection
from django.utils import timezone

from lo_storage.models import LargeObject

from ..commands import run
from ..models import Attachment, Document


def names():
    return {entry.name for entry in LargeObject.objects.all()}


def test_it_lists_and_deletes_what_nobody_names(documents, save, large_objects):
    named, unnamed = save(), save(b"12345", "lost.txt")
    Document.objects.create(data=named)
    listed = f"{unnamed}\t5\tlost.txt\n"
    assert run("lo_clean", hours=0) == (
        f"{listed}Files that nobody names: 1. --delete deletes them.\n"
    )
    assert names() == {named, unnamed}
    assert run("lo_clean", hours=0, delete=True) == f"{listed}Files deleted: 1\n"
    assert names() == {named}
    assert len(large_objects()) == 1


def test_it_leaves_the_young_alone(documents, save):
    save()
    assert run("lo_clean", delete=True) == "Files deleted: 0\n"
    LargeObject.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert run("lo_clean", delete=True).endswith("Files deleted: 1\n")


def test_it_keeps_what_a_table_names_that_no_installed_model_describes(installed_documents, save):
    named, lost = save(), save()
    Attachment.objects.create(data=named)
    assert run("lo_clean", hours=0, delete=True).startswith(f"{lost}\t")
    assert names() == {named}


def test_what_is_not_searched_keeps_all_until_it_is_forced(documents, save):
    lost = save()
    with connection.cursor() as cursor:
        cursor.execute("create table papers (pickle bytea)")
    try:
        told = "Not searched: public.papers.pickle (bytea)\n"
        assert told in run("lo_clean", hours=0)
        with pytest.raises(CommandError, match=r"nothing was deleted.*give --force"):
            run("lo_clean", hours=0, delete=True)
        assert names() == {lost}
        assert run("lo_clean", hours=0, delete=True, force=True).endswith(
            f"{told}Files deleted: 1\n"
        )
    finally:
        with connection.cursor() as cursor:
            cursor.execute("drop table papers")


def test_one_that_cannot_be_deleted_is_told_and_stops_nothing(documents, save, somebody_else):
    theirs, lost = save(), save()
    somebody_else(theirs)
    with pytest.raises(CommandError, match="1 of the files could not be deleted"):
        run("lo_clean", hours=0, delete=True)
    assert names() == {theirs}
    assert lost not in names()


def test_rows_in_another_database_are_not_taken_for_none(save, rows_elsewhere):
    name = save()
    with pytest.raises(CommandError, match=r"rows of lo_storage_tests.*Nothing was deleted"):
        run("lo_clean", hours=0, delete=True)
    assert names() == {name}
