import pytest
from django.core.management import CommandError
from django.db import connection

from lo_storage.models import LargeObject

from ..commands import run
from ..models import Document


def test_adopt_catalogues_what_rows_name(installed_documents, large_objects, save, monkeypatch):
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


def test_rows_in_another_database_are_not_taken_for_none(save, rows_elsewhere):
    save()
    with pytest.raises(CommandError, match="rows of lo_storage_tests"):
        run("lo_adopt")
    assert LargeObject.objects.count() == 1
