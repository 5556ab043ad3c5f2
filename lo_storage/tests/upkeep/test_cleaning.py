import pytest
from django.db import IntegrityError

from lo_storage.models import LargeObject
from lo_storage.upkeep import cleaning
from lo_storage.upkeep.cleaning import delete_unnamed, unnamed
from lo_storage.upkeep.columns import RowsElsewhere

from ..models import Attachment, Document

pytestmark = pytest.mark.usefixtures("installed_documents")


def names():
    return set(LargeObject.objects.values_list("name", flat=True))


def test_what_no_row_of_any_file_column_names(save):
    data, scan, lost = save(), save(), save()
    Document.objects.create(data=data, scan=scan)
    assert [entry.name for entry in unnamed("default")] == [lost]


def test_files_of_a_certain_age(save):
    found = [save(), save(), save()]
    last = LargeObject.objects.get(name=found[2])
    assert {file.name for file in unnamed("default", last.created_at)} == set(found[:2])


@pytest.mark.usefixtures("rows_elsewhere")
def test_nothing_is_told_where_rows_are_elsewhere(save):
    name = save()
    for call in (lambda: unnamed("default"), lambda: list(delete_unnamed("default", [name]))):
        with pytest.raises(RowsElsewhere):
            call()
    assert names() == {name}


def test_a_name_that_a_row_got_meanwhile_is_kept(save):
    found = [save(), save()]
    Document.objects.create(data=found[0])
    assert list(delete_unnamed("default", found)) == [1]
    assert names() == {found[0]}


def test_each_batch_is_deleted_by_itself(save, monkeypatch):
    monkeypatch.setattr(cleaning, "BATCH", 2)
    found = [save() for _ in range(5)]
    Attachment.objects.create(data=found[2])  # which no installed model describes
    deleted = delete_unnamed("default", found)
    assert next(deleted) == 2
    assert names() == set(found[2:])
    with pytest.raises(IntegrityError):
        next(deleted)
    assert names() == set(found[2:])
