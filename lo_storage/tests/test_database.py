import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.db import connection, connections, transaction
from django.http import Http404
from django.test import RequestFactory

from lo_storage.storage import DbFileStorage, db_file_storage
from lo_storage.views import db_serve

pytestmark = pytest.mark.django_db


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


def test_every_query_is_seen_by_django_but_not_the_bytes(save, django_assert_num_queries):
    with django_assert_num_queries(1) as captured:
        save(b"secret content")
    assert "lo_from_bytea" in captured[0]["sql"]
    assert "secret" not in captured[0]["sql"]
    assert b"secret".hex() not in captured[0]["sql"]


@pytest.fixture
def tenants(db):
    """Two schemas, each with a catalogue of its own, and a backend that goes to one of them.

    As packages for tenants do it, and as one would set a role or a variable of row-level security:
    when a cursor is opened.
    """

    real = connections["default"]

    class Backend(type(real)):
        tenant = "public"

        def _cursor(self, name=None):
            cursor = super()._cursor(name)
            cursor.execute("select set_config('search_path', %s, true)", [self.tenant])
            return cursor

    with transaction.atomic(), connection.cursor() as cursor:
        for tenant in ("a", "b"):
            cursor.execute(f"create schema {tenant}")
            cursor.execute(
                f"create table {tenant}.lo_storage_largeobject (like public.lo_storage_largeobject)"
            )
        real.__class__ = Backend
        try:
            yield
        finally:
            real.__class__ = Backend.__base__
            transaction.set_rollback(True)


def test_what_a_backend_does_when_a_cursor_is_opened_is_done_before_ours(tenants):
    names = {}
    for connection.tenant in ("a", "b"):
        names[connection.tenant] = db_file_storage.save("march.txt", ContentFile(b"march"))
    for connection.tenant, other in ("ab", "ba"):
        assert db_file_storage.listdir("")[1] == [names[connection.tenant]]
        assert not db_file_storage.exists(names[other])
        with pytest.raises(FileNotFoundError):
            db_file_storage.open(names[other])
    connection.tenant = "a"
    assert b"".join(db_serve(RequestFactory().get("/"), names["a"])) == b"march"
    connection.tenant = "b"
    with pytest.raises(Http404):
        db_serve(RequestFactory().get("/"), names["a"])
