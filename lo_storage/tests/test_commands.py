from datetime import timedelta
from io import StringIO
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from lo_storage import columns
from lo_storage.checks import check_one_transaction
from lo_storage.models import LargeObject

from .models import Attachment, Document


def run(command, **options):
    out = StringIO()
    call_command(command, stdout=out, stderr=out, **options)
    return out.getvalue()


@pytest.fixture
def models(documents, monkeypatch):
    monkeypatch.setattr(columns, "apps", SimpleNamespace(get_models=lambda: [Document]))


def test_clean_lists_and_deletes_what_no_row_names(models, save, large_objects):
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


def test_clean_leaves_the_young_alone(models, save):
    save()
    assert run("lo_clean", delete=True) == "Files deleted: 0\n"
    LargeObject.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert run("lo_clean", delete=True).endswith("Files deleted: 1\n")


def test_clean_deletes_nothing_that_an_unknown_table_names(models, save):
    save()
    Attachment.objects.create(data=save())
    with pytest.raises(CommandError, match="a table that no installed model describes names"):
        run("lo_clean", hours=0, delete=True)
    assert LargeObject.objects.count() == 2


class Elsewhere:
    """A router that has the rows in another database than their files."""

    def db_for_write(self, model, **hints):
        return "rows"


@pytest.mark.parametrize("command", ["lo_clean", "lo_adopt"])
def test_rows_in_another_database_are_not_taken_for_none(models, save, settings, command):
    save()
    settings.DATABASE_ROUTERS = [Elsewhere()]
    with pytest.raises(CommandError, match="rows of lo_storage_tests"):
        run(command)
    assert LargeObject.objects.count() == 1
    assert [(warning.id, warning.msg) for warning in check_one_transaction()] == [
        (
            "lo_storage.W001",
            f"The rows of lo_storage_tests.Document.{column} are in another database than their"
            " files in 'default': no transaction holds both.",
        )
        for column in ("data", "scan")
    ]


def test_adopt_catalogues_what_rows_name(models, large_objects, save, monkeypatch):
    monkeypatch.setattr(Document._meta, "ordering", ["title"])
    known = save()
    with connection.cursor() as cursor:
        cursor.execute("select lo_from_bytea(0, 'abc') from generate_series(1, 2)")
        first, second = (loid for (loid,) in cursor.fetchall())
    for constraint in Document._meta.constraints:
        with connection.schema_editor() as editor:
            editor.remove_constraint(Document, constraint)
    names = [
        f"{first}.tar.gz",
        f"{second}.2 final.pdf",
        f"{second}.html",
        "4294967295.pdf",
        "march.pdf",
        known,
    ]
    Document.objects.bulk_create(
        Document(title=title, data=name) for name in names for title in ("one", "and its copy")
    )
    with connection.cursor() as cursor:
        cursor.execute("insert into lo_storage_tests_document (title, data) values ('', '')")
    before = large_objects()
    assert run("lo_adopt", dry_run=True).splitlines()[-1] == (
        "Large objects that would be adopted: 2. Names refused: 3."
    )
    assert [entry.name for entry in LargeObject.objects.all()] == [known]
    assert Document.objects.filter(data=None).count() == 0
    lines = run("lo_adopt").splitlines()
    assert lines[-1] == "Large objects adopted: 2. Names refused: 3."
    assert "lo_storage_tests.Document.data 'march.pdf': is no name that the library gives" in lines
    assert "'4294967295.pdf': there is no such large object" in "\n".join(lines)
    assert "the large object is catalogued as" in "\n".join(lines)
    entry = LargeObject.objects.get(name=f"{first}.tar.gz")
    assert (entry.loid, entry.size, entry.sha256, entry.version) == (first, 3, None, 1)
    assert Document.objects.filter(data=None).count() == 1
    assert large_objects() == before
    assert run("lo_adopt").endswith("Large objects adopted: 0. Names refused: 3.\n")
    for constraint in Document._meta.constraints:
        Document.objects.all().delete()
        with connection.schema_editor() as editor:
            editor.add_constraint(Document, constraint)


def test_the_file_columns_of_a_database(models):
    assert [(model, field.name) for model, field in columns.file_columns("default")] == [
        (Document, "data"),
        (Document, "scan"),
    ]
    assert list(columns.file_columns("other")) == []
