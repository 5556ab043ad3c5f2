"""Whatever SQL puts a file's name into a row, or takes it out, the files at COMMIT are right."""

import pytest
from django.core.files.base import ContentFile
from django.db import NotSupportedError, connection, transaction

from lo_storage.models import LargeObject
from lo_storage.storage import db_file_storage

from .models import Document

TABLE = "lo_storage_tests_document"


@pytest.fixture
def files(documents):
    """The names of two files with a row, "march" and "april", and of one without: "new"."""
    names = {"new": db_file_storage.save("new.txt", ContentFile(b"new"))}
    for title in ("march", "april"):
        document = documents.objects.create(
            title=title, data=ContentFile(title.encode(), "old.txt")
        )
        names[title] = document.data.name
    return names


@pytest.fixture
def stored(files, large_objects):
    """A function that returns the file of each row, once there are no other files."""

    def stored():
        rows = dict(Document.objects.exclude(data=None).values_list("title", "data"))
        assert large_objects() == {db_file_storage.entry(name).loid for name in rows.values()}
        titles = {name: title for title, name in files.items()}
        return {title: titles[name] for title, name in rows.items()}

    return stored


def sql(statement, **params):
    with connection.cursor() as cursor:
        cursor.execute(statement, params or None)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            f"insert into {TABLE} (id, title, data) select id, title, data from {TABLE}"
            "  where title = 'march' on conflict (id) do update set data = %(new)s",
            {"march": "new", "april": "april"},
        ),
        (
            f"update {TABLE} set data = other.name from (values (%(new)s)) as other (name)"
            "  where title = 'march'",
            {"march": "new", "april": "april"},
        ),
        (
            f"merge into {TABLE} document"
            "  using (values ('march', null), ('may', %(new)s)) as other (title, name)"
            "  on other.title = document.title"
            "  when matched then delete"
            "  when not matched then insert (title, data) values (other.title, other.name)",
            {"may": "new", "april": "april"},
        ),
        (
            f"merge into {TABLE} document"
            "  using (values ('march', %(new)s)) as other (title, name)"
            "  on other.title = document.title"
            "  when matched then update set data = other.name",
            {"march": "new", "april": "april"},
        ),
        (
            f"with gone as (delete from {TABLE} where title = 'march' returning data)"
            f" insert into {TABLE} (title, data) select 'moved', data from gone"
            "  union all select 'may', %(new)s",
            {"moved": "march", "april": "april", "may": "new"},
        ),
        (
            f"delete from {TABLE} using (values (%(march)s)) as other (name)"
            "  where data = other.name returning data",
            {"april": "april"},
        ),
        (
            "do $$ begin"
            f" delete from {TABLE} where title = 'march';"
            "  begin"
            f"   delete from {TABLE} where title = 'april';"
            "    perform 1/0;"
            "  exception when division_by_zero then null;"
            "  end;"
            " end $$",
            {"april": "april"},
        ),
        (
            f"alter table {TABLE} alter column data type text using nullif(data, '');"
            f"update {TABLE} set data = null where title = 'march'",
            {"april": "april"},
        ),
    ],
)
def test_the_files_are_those_that_rows_name(stored, files, statement, expected):
    with transaction.atomic():
        if "%(" in statement:
            sql(statement, **files)
        else:
            sql(statement)
        if "new" not in expected.values():
            db_file_storage.delete(files["new"])
    assert stored() == expected


def test_names_change_together_with_the_rows(stored, files):
    db_file_storage.delete(files["new"])
    with transaction.atomic():
        sql("update lo_storage_largeobject set name = loid || '.html'")
        sql(f"update {TABLE} set data = replace(data, '.txt', '.html')")
    files.update({title: files[title].replace(".txt", ".html") for title in ("march", "april")})
    assert stored() == {"march": "march", "april": "april"}


@pytest.mark.parametrize(
    "statement",
    [
        f"truncate {TABLE}",
        f"alter table {TABLE} disable trigger user; delete from {TABLE};"
        f" alter table {TABLE} enable trigger user",
    ],
)
def test_what_fires_no_trigger_leaves_the_files_to_be_cleaned(files, large_objects, statement):
    before = large_objects()
    sql(statement)
    assert not Document.objects.exists()
    assert large_objects() == before
    LargeObject.objects.all().delete()
    assert large_objects() == set()


def test_the_catalogue_is_not_emptied_under_its_rows(stored, files):
    db_file_storage.delete(files["new"])
    with pytest.raises(NotSupportedError, match="cannot truncate a table referenced"):
        sql("truncate lo_storage_largeobject")
    assert stored() == {"march": "march", "april": "april"}
    sql("truncate lo_storage_largeobject cascade")
    assert stored() == {}
