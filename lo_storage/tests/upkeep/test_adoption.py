import pytest
from django.db import connection, transaction

from lo_storage.models import LargeObject
from lo_storage.upkeep.adoption import Adoption, adopt, adopt_all

from ..models import Document


@pytest.fixture
def loid(transactional_db):
    """A large object that nobody has catalogued."""
    with connection.cursor() as cursor:
        cursor.execute("select lo_from_bytea(0, 'abc')")
        (loid,) = cursor.fetchone()
        yield loid
        cursor.execute("select lo_unlink(oid) from pg_largeobject_metadata where oid = %s", [loid])


@pytest.fixture
def without_references(installed_documents):
    for change in ("remove_constraint", "add_constraint"):
        for constraint in Document._meta.constraints:
            with connection.schema_editor() as editor:
                getattr(editor, change)(Document, constraint)
        if change == "remove_constraint":
            yield
            Document.objects.all().delete()


def test_an_object_is_catalogued_under_its_name(loid):
    assert adopt("default", f"{loid}.tar.gz") is None
    entry = LargeObject.objects.get()
    assert (entry.name, entry.size, entry.sha256, entry.version) == (f"{loid}.tar.gz", 3, None, 1)


def test_why_a_name_is_refused(loid):
    adopt("default", f"{loid}.pdf")
    reasons = {
        f"{loid}.html": f"the large object is catalogued as '{loid}.pdf'",
        "4294967295.pdf": "there is no such large object",
        "march.pdf": "is no name that the library gives",
    }
    with transaction.atomic():  # which stays usable
        assert {name: adopt("default", name) for name in reasons} == reasons


def test_what_rows_name_and_what_came_of_it(without_references, save, loid):
    names = [f"{loid}.pdf", f"{loid}.html", f"{loid}.html", save(), None]
    Document.objects.bulk_create(Document(data=name) for name in names)
    with connection.cursor() as cursor:
        cursor.execute("insert into lo_storage_tests_document (title, data) values ('', '')")
    column = "lo_storage_tests.Document.data"
    assert list(adopt_all("default")) == [
        Adoption(column, f"{loid}.html", None),  # which more rows name
        Adoption(column, f"{loid}.pdf", f"the large object is catalogued as '{loid}.html'"),
    ]
    assert Document.objects.filter(data=None).count() == 2
