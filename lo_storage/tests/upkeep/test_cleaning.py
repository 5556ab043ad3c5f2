from types import SimpleNamespace

import pytest
from django.db import connection, models
from django.test.utils import isolate_apps

from lo_storage.models import LargeObject
from lo_storage.storage import DbFileStorage
from lo_storage.upkeep import cleaning, columns
from lo_storage.upkeep.cleaning import Deletion, delete_unnamed, unnamed
from lo_storage.upkeep.columns import RowsElsewhere

from ..models import Attachment, Document


def found(**options):
    return {file.name for file in unnamed("default", **options)}


def names():
    return set(LargeObject.objects.values_list("name", flat=True))


def test_what_nobody_names(documents, save):
    data, scan, attached, lost = save(), save(), save(), save(b"lost", "lost.txt")
    Document.objects.create(data=data, scan=scan)
    Attachment.objects.create(data=attached)
    assert unnamed("default") == [(lost, 4, "lost.txt")]
    assert found(names=[data, lost]) == {lost}
    assert found(names=[]) == set()


def test_files_of_a_certain_age(db, save):
    first, second, third = save(), save(), save()
    last = LargeObject.objects.get(name=third)
    assert found(before=last.created_at) == {first, second}


@isolate_apps("lo_storage.tests")
def test_no_model_needs_to_know_who_names_a_file(documents, save):
    """Rows that a manager hides, a model that nobody imports, a storage for each value."""

    class Hiding(models.Manager):
        def get_queryset(self):
            return super().get_queryset().filter(title="shown")

    class Shown(models.Model):
        title = models.TextField()
        data = models.FileField(storage=DbFileStorage("/papers"))
        objects = Hiding()

        class Meta:
            app_label = "lo_storage_tests"
            db_table = "lo_storage_tests_document"
            base_manager_name = "objects"

        def __str__(self):
            return self.title

    hidden, imported, valued = save(), save(), save()
    Document.objects.create(title="hidden", data=hidden)
    with connection.cursor() as cursor:
        cursor.execute("create table nobody_imports_its_model (data varchar(100))")
        cursor.execute("insert into nobody_imports_its_model values (%s)", [imported])
        cursor.execute("create table settings (value text)")
        cursor.execute("insert into settings values (%s)", [f'{{"__value__": "{valued}"}}'])
    try:
        assert found() == set()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("drop table nobody_imports_its_model, settings")


def test_rows_by_a_second_alias_of_the_same_database(rows_elsewhere, save, another_alias):
    another_alias("rows")
    named, lost = save(), save()
    assert Document.objects.create(data=named)._state.db == "rows"
    assert found() == {lost}
    assert list(delete_unnamed("default", [named, lost])) == [Deletion(1, {})]
    assert names() == {named}


def test_a_model_without_its_table_stops_nothing(db, save, monkeypatch):
    """It is installed, and was not migrated."""
    monkeypatch.setattr(columns, "apps", SimpleNamespace(get_models=lambda: [Document]))
    assert Document._meta.db_table not in connection.introspection.table_names()
    lost = save()
    assert found() == {lost}
    assert list(delete_unnamed("default", [lost])) == [Deletion(1, {})]


def in_letters(alias, names):
    """What the callable of a project knows, by the setting."""
    assert alias == "default"
    return [name for name in names if name.endswith(".letter")]


def test_a_project_s_own_callable_is_asked(documents, save, settings):
    letter, lost = save(b"", "march.letter"), save()
    settings.PG_LO_STORAGE_NAMED_BY = [f"{__name__}.in_letters"]
    assert found() == {lost}
    assert list(delete_unnamed("default", [letter, lost])) == [Deletion(1, {})]
    assert names() == {letter}


def test_nothing_is_told_where_rows_are_elsewhere(save, rows_elsewhere):
    name = save()
    for call in (lambda: unnamed("default"), lambda: list(delete_unnamed("default", [name]))):
        with pytest.raises(RowsElsewhere):
            call()
    assert names() == {name}


def test_a_name_that_a_row_got_meanwhile_is_kept(documents, save):
    listed = [save(), save()]
    Document.objects.create(data=listed[0])
    assert list(delete_unnamed("default", listed)) == [Deletion(1, {})]
    assert names() == {listed[0]}


def test_each_batch_is_deleted_by_itself(documents, save, monkeypatch):
    monkeypatch.setattr(cleaning, "BATCH", 2)
    listed = [save() for _ in range(5)]
    deletions = delete_unnamed("default", listed)
    assert next(deletions) == Deletion(2, {})
    assert names() == set(listed[2:])
    assert list(deletions) == [Deletion(2, {}), Deletion(1, {})]


def test_what_cannot_be_deleted_stops_nothing(documents, save, somebody_else, other_session):
    """A row begins to name one file while it is deleted, and another is somebody else's."""
    kept, theirs, lost = save(), save(), save()
    somebody_else(theirs)
    other_session.execute(
        "create function name_it() returns trigger language plpgsql as $$ begin"
        f"  insert into lo_storage_tests_attachment (data) values ('{kept}');"
        "  return old; end $$;"
        "create trigger name_it before delete on lo_storage_largeobject for each row"
        f" when (old.name = '{kept}') execute function name_it()"
    )
    try:
        (deletion,) = delete_unnamed("default", [kept, theirs, lost])
    finally:
        other_session.execute("drop function name_it() cascade")
    assert names() == {kept, theirs}
    loid = theirs.partition(".")[0]
    assert (deletion.deleted, deletion.refused[theirs]) == (
        1,
        f"must be owner of large object {loid}",
    )
    assert "violates foreign key constraint" in deletion.refused.pop(kept)
    assert set(deletion.refused) == {theirs}
