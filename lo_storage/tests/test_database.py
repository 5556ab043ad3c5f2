import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.db import connection, connections, transaction
from django.http import Http404
from django.test import RequestFactory

from lo_storage.storage import DbFileStorage, db_file_storage
from lo_storage.views import db_serve

from .databases import rows_are_of_tenants

pytestmark = pytest.mark.django_db

CONTENT = b"march" * 300_000  # of which no statement takes all


def test_another_database_engine_is_refused_with_the_remedy(settings):
    connections.databases["sqlite"] = {
        **connections.databases["default"],
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": ":memory:",
        "OPTIONS": {},
    }
    try:
        with pytest.raises(
            ImproperlyConfigured, match=r"set its ENGINE to 'django.db.backends.post"
        ):
            DbFileStorage(alias="sqlite").exists("12.pdf")
    finally:
        del connections["sqlite"]
        del connections.databases["sqlite"]


def test_a_database_that_was_not_migrated_is_refused_with_the_remedy():
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("alter table lo_storage_largeobject rename to lost")
        with pytest.raises(
            ImproperlyConfigured, match=r"run 'manage.py migrate --database default'"
        ):
            db_file_storage.exists("12.pdf")
        assert transaction.get_rollback()
        transaction.set_rollback(True)


def test_only_statements_of_this_library_are_prepared_and_only_if_so_set(another_alias, settings):
    another_alias("other", server_side_binding=True)
    storage = DbFileStorage(alias="other")

    def prepared():
        names = [storage.save("a.txt", ContentFile(b"march")) for _ in range(3)]
        with transaction.atomic(using="other"):
            for name in names:
                with storage.open(name) as file:
                    assert file.read() == b"march"
                storage.delete(name)
        query = "select statement from pg_prepared_statements"
        with connections["other"].cursor() as cursor:
            cursor.execute(query)
            cursor.execute(query)
            return [statement for (statement,) in cursor]

    assert prepared() == []
    settings.PG_LO_STORAGE_PREPARE_THRESHOLD = 2
    statements = prepared()
    assert len(statements) == 3
    assert all("lo_storage_largeobject" in statement for statement in statements)


def test_every_query_is_seen_by_django_but_not_the_bytes(save, django_assert_num_queries):
    with django_assert_num_queries(1) as captured:
        save(b"secret content")
    assert "lo_from_bytea" in captured[0]["sql"]
    assert "secret" not in captured[0]["sql"]
    assert b"secret".hex() not in captured[0]["sql"]


@pytest.fixture
def of_cursors(db):
    """Parameters of the server that a backend sets whenever a cursor is opened.

    As packages for tenants do it with the search path, and others with a role, or a variable of
    row-level security. What the test does is rolled back.
    """
    real = connections["default"]
    parameters = {}

    class Backend(type(real)):
        def _cursor(self, name=None):
            cursor = super()._cursor(name)
            for parameter, value in parameters.items():
                cursor.execute("select set_config(%s, %s, true)", [parameter, value])
            return cursor

    with transaction.atomic():
        real.__class__ = Backend
        try:
            yield parameters
        finally:
            real.__class__ = Backend.__base__
            transaction.set_rollback(True)


def ours_is_found_and_not_another_s(of_cursors, parameter):
    names = {}
    for of_cursors[parameter] in ("a", "b"):
        names[of_cursors[parameter]] = db_file_storage.save("march.txt", ContentFile(CONTENT))
    for of_cursors[parameter], other in ("ab", "ba"):
        assert db_file_storage.listdir("")[1] == [names[of_cursors[parameter]]]
        assert not db_file_storage.exists(names[other])
        with pytest.raises(FileNotFoundError):
            db_file_storage.open(names[other])
    of_cursors[parameter] = "a"
    assert b"".join(db_serve(RequestFactory().get("/"), names["a"])) == CONTENT
    of_cursors[parameter] = "b"
    with pytest.raises(Http404):
        db_serve(RequestFactory().get("/"), names["a"])


def test_the_schema_that_a_backend_sets_when_a_cursor_is_opened_holds_for_ours(of_cursors):
    with connection.cursor() as cursor:
        for schema in ("a", "b"):
            cursor.execute(f"create schema {schema}")
            cursor.execute(
                f"create table {schema}.lo_storage_largeobject (like public.lo_storage_largeobject)"
            )
    ours_is_found_and_not_another_s(of_cursors, "search_path")


def test_the_variable_of_row_level_security_that_it_sets_holds_for_ours(of_cursors):
    of_cursors["files.tenant"] = "nobody"
    rows_are_of_tenants()
    ours_is_found_and_not_another_s(of_cursors, "files.tenant")
