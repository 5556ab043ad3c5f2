"""File and row are one transaction, also where the caller has none: all tests are in autocommit."""

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction
from django.db.models.signals import post_save

from lo_storage.fields import DbFileField, DbImageField
from lo_storage.models import LargeObject

from .models import Document


def new(content=b"march"):
    return ContentFile(content, "march.txt")


def test_a_row_that_is_refused_leaves_no_file(documents, large_objects):
    taken = documents.objects.create(data=new())
    before = large_objects()
    with pytest.raises(IntegrityError):
        documents(pk=taken.pk, data=new()).save(force_insert=True)
    with pytest.raises(IntegrityError):
        documents.objects.create(pk=taken.pk, data=new(), scan=new())
    assert large_objects() == before


def test_a_receiver_that_fails_leaves_neither_row_nor_file(documents, large_objects):
    def fail(**kwargs):
        raise LookupError("later receiver")

    post_save.connect(fail, sender=documents)
    try:
        with pytest.raises(LookupError):
            documents.objects.create(data=new())
    finally:
        post_save.disconnect(fail, sender=documents)
    assert not documents.objects.exists()
    assert large_objects() == set()


def test_a_row_that_is_refused_in_a_transaction_breaks_it_as_django_s_do(documents):
    taken = documents.objects.create()
    with transaction.atomic():
        with pytest.raises(IntegrityError):
            documents(pk=taken.pk, data=new()).save(force_insert=True)
        assert transaction.get_rollback()
        transaction.set_rollback(True)


def test_a_field_s_own_save_and_delete_change_file_and_row(documents, large_objects):
    document = documents.objects.create()
    document.data.save("april.txt", new(b"april"))
    assert documents.objects.get().data.read() == b"april"
    document.data.save("may.txt", new(b"may"))
    assert documents.objects.get().data.read() == b"may"
    assert len(large_objects()) == 1
    document.data.delete()
    assert documents.objects.get().data.name is None
    assert large_objects() == set()


def test_a_field_s_own_save_of_a_row_that_is_refused_leaves_no_file(documents, large_objects):
    document = documents(title="x" * 51)
    with pytest.raises(Exception, match="too long for type"):
        document.data.save("march.txt", new())
    assert large_objects() == set()


def test_a_field_s_own_save_that_fails_before_the_database_leaves_the_transaction_usable(documents):
    document = documents.objects.create()
    document.data.field.max_length, length = 5, document.data.field.max_length
    try:
        with transaction.atomic():
            with pytest.raises(SuspiciousFileOperation):
                document.data.save("march.txt", new())
            assert documents.objects.count() == 1
    finally:
        document.data.field.max_length = length


def test_save_base_takes_its_arguments_by_position_as_django_s_does(documents):
    documents(data=new()).save_base(False, False, False, "default", None)
    assert documents.objects.count() == 1


@pytest.mark.parametrize("name", ["12\0.pdf", "12.\ud800", "\0"])
def test_what_can_be_no_name_is_looked_up_without_an_error(documents, name):
    assert not documents.objects.filter(data=name).exists()


def test_a_row_with_its_file_is_one_transaction_and_no_more(documents, round_trips):
    with round_trips:
        document = documents.objects.create(data=new())
    assert [sql.split()[0].lower() for sql in round_trips] == ["with", "insert"]
    assert LargeObject.objects.get().name == document.data.name


def test_a_class_is_wrapped_once_for_all_its_fields():
    assert not hasattr(Document.save_base.__wrapped__, "__wrapped__")


@pytest.mark.parametrize("field", [DbFileField, DbImageField])
def test_a_stored_name_s_length_does_not_bound_the_name_of_what_is_uploaded(field):
    assert field().formfield().max_length is None


def test_an_empty_value_is_null_only_where_the_column_allows_it(documents):
    nullable, required = DbFileField(null=True), DbFileField()
    for value in ("", None):
        assert nullable.get_db_prep_save(value, None) is None
    assert required.get_db_prep_save("", None) == ""


def test_the_field_of_a_migration_names_no_storage():
    _, path, args, kwargs = DbFileField(null=True).deconstruct()
    assert (path, args) == ("lo_storage.fields.DbFileField", [])
    assert kwargs == {"null": True, "upload_to": ""}
