"""The rows of a column, and how one comes to name another file."""

import uuid

import pytest
from django.apps import apps
from django.db import connection, models, transaction
from django.db.models import F

from lo_storage.transfer import rows
from lo_storage.transfer.rows import Change, Column, file_columns, pages


@pytest.fixture
def column(letters):
    return Column(letters, letters._meta.get_field("data"), "default")


def rename(column, changes, wait=False, **others):
    with transaction.atomic():
        given = column.rows().annotate(value=F("data"))
        return column.rename(given, changes, wait, others)


def test_rows_that_are_as_they_were_name_other_files(column, letters):
    made = [letters.objects.create(data=f"{n}.pdf") for n in range(3)]
    changes = {row.pk: Change(row.data.name, f"new-{row.pk}.pdf") for row in made}
    letters.objects.filter(pk=made[1].pk).update(data="newer.pdf")
    assert rename(column, changes, title="renamed") == {made[0].pk, made[2].pk}
    assert list(letters.objects.order_by("pk").values_list("data", "title")) == [
        (f"new-{made[0].pk}.pdf", "renamed"),
        ("newer.pdf", ""),
        (f"new-{made[2].pk}.pdf", "renamed"),
    ]
    assert rename(column, {}) == set()


def test_a_locked_row_is_left_out(column, letters, other_session):
    made = [letters.objects.create(data=f"{n}.pdf") for n in range(2)]
    changes = {row.pk: Change(row.data.name, "new.pdf") for row in made}
    with other_session.transaction():
        other_session.execute(
            "update lo_storage_tests_letter set title = 'x' where id = %s", [made[0].pk]
        )
        assert rename(column, changes) == {made[1].pk}


def test_keys_of_other_types(transactional_db):
    class Keyed(models.Model):
        key = models.UUIDField(primary_key=True, default=uuid.uuid4)
        data = models.FileField()

        class Meta:
            app_label = "lo_storage_tests"

        def __str__(self):
            return self.data.name

    class Child(Keyed):
        more = models.FileField()

        class Meta:
            app_label = "lo_storage_tests"

        def __str__(self):
            return self.more.name

    try:
        with connection.schema_editor() as editor:
            editor.create_model(Keyed)
            editor.create_model(Child)
        row = Child.objects.create(data="a.pdf", more="b.pdf")
        for model, name in ((Keyed, "data"), (Child, "more")):
            column = Column(model, model._meta.get_field(name), "default")
            with transaction.atomic():
                given = column.rows().annotate(value=F(name))
                changes = {row.pk: Change(getattr(row, name).name, f"new-{name}.pdf")}
                assert column.rename(given, changes, wait=True) == {row.pk}
        row.refresh_from_db()
        assert (row.data.name, row.more.name) == ("new-data.pdf", "new-more.pdf")
    finally:
        with connection.schema_editor() as editor:
            editor.delete_model(Child)
            editor.delete_model(Keyed)
        for name in ("keyed", "child"):
            del apps.all_models["lo_storage_tests"][name]
        apps.clear_cache()


def test_all_rows_come_page_by_page(column, letters, monkeypatch):
    monkeypatch.setattr(rows, "PAGE", 2)
    keys = [letters.objects.create(data=f"{n}.pdf").pk for n in range(5)]
    found = list(pages(column.rows(), "data"))
    assert [len(page) for page in found] == [2, 2, 1]
    assert [key for page in found for key, _ in page] == keys


def test_file_columns_of_tables_that_are_there(letters):
    labels = [column.label for column in file_columns() if column.alias == "default"]
    assert {"lo_storage_tests.Letter.data", "lo_storage_tests.Letter.scan"} <= set(labels)
    assert "lo_storage_tests.PictureOnDisk.data" not in labels
