import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections, transaction

from lo_storage.storage import DbFileStorage, db_file_storage

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
