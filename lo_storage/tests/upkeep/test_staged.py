from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from lo_storage.upkeep import staged as module
from lo_storage.upkeep.staged import Staged, check_staged, staged


@pytest.fixture
def upload(transactional_db):
    """A function that adds a row to the table of uploads, one that hides the project's own."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"create temporary table {module.TABLE} (received bigint, expires_at timestamptz)"
        )

        def upload(received, past):
            row = [received, timezone.now() - past]
            cursor.execute(f"insert into {module.TABLE} values (%s, %s)", row)

        yield upload
        cursor.execute(f"drop table pg_temp.{module.TABLE}")


def found():
    with connection.cursor() as cursor:
        return staged(cursor)


def test_none_is_none(upload):
    assert found() == Staged(0, 0, 0)
    assert list(check_staged("default")) == []


def test_they_are_counted_and_those_that_stay_are_told(upload):
    upload(5, past=timedelta(days=-1))
    upload(70, past=timedelta(days=1, hours=23))
    assert found() == Staged(2, 75, 0)
    assert list(check_staged("default")) == []
    upload(0, past=timedelta(days=2, hours=1))
    assert found() == Staged(3, 75, 1)
    (finding,) = check_staged("default")
    assert str(finding) == (
        "warning: uploads: 1 are past their date by two days, and take room all the same."
        " Run manage.py lo_expire once a day"
    )


def test_without_the_app_there_is_nothing_to_tell(transactional_db, monkeypatch):
    monkeypatch.setattr(module, "TABLE", "no_such_table")
    assert found() is None
    assert list(check_staged("default")) == []
