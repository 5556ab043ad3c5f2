from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from lo_storage.uploads import removing, staging
from lo_storage.uploads.models import Upload


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    monkeypatch.setattr(removing, "STEP", 1000)


@pytest.fixture
def ended(round_trips):
    """A function that removes uploads, and returns how many steps cut one, and how many deleted."""

    def ended(*uploads):
        round_trips.clear()
        with round_trips:
            gone = removing.remove("default", [upload.pk for upload in uploads])
        assert set(gone) == {upload.pk for upload in uploads}
        table = Upload._meta.db_table
        return tuple(
            sum(first in statement and table in statement for statement in round_trips)
            for first in ("lo_truncate64", "DELETE")
        )

    return ended


class Stopped(BaseException):
    """The process ends here."""


def stop_at(number):
    """Let this process end at so many steps that cut."""
    cuts = []

    def watch(execute, sql, *args):
        if "lo_truncate64" in sql:
            cuts.append(sql)
            if len(cuts) == number:
                raise Stopped
        return execute(sql, *args)

    return connection.execute_wrapper(watch)


def past(*uploads):
    ids = [upload.pk for upload in uploads]
    Upload.objects.filter(pk__in=ids).update(expires_at=timezone.now() - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("size", "steps"), [(0, (0, 1)), (1000, (0, 1)), (1001, (1, 1)), (3500, (3, 1))]
)
def test_a_large_one_is_cut_step_by_step(size, steps, staged, ended, large_objects):
    before = large_objects()
    assert ended(staged(b"x" * size)) == steps
    assert (Upload.objects.count(), large_objects()) == (0, before)


def test_small_ones_go_together_up_to_ten_and_up_to_a_step(staged, ended, large_objects):
    before = large_objects()
    assert ended(*[staged(b"x") for _ in range(12)]) == (0, 2)
    assert ended(*[staged(b"x" * 400) for _ in range(5)]) == (0, 3)
    assert ended(staged(b"x" * 1200), staged(b"x" * 400)) == (1, 2)
    assert large_objects() == before


def test_what_was_ended_in_the_middle_is_none_and_expires(staged, user, large_objects):
    before = large_objects()
    upload = staged(b"x" * 3500)
    with stop_at(2), pytest.raises(Stopped):
        removing.remove("default", [upload.pk])
    assert Upload.objects.get().received == 2500
    assert staging.find("default", user, [upload.pk]) == {}
    assert staging.claim("default", user, upload.pk) is None
    with pytest.raises(staging.UploadGone), transaction.atomic():
        staging.adopt("default", upload.pk, "scan.pdf")
    assert list(removing.expire("default")) == [[upload.pk]]
    assert large_objects() == before


def test_a_request_that_still_sends_ends_at_its_next_piece(user):
    begun = staging.create("default", user, 5000, "a.pdf")
    sending = staging.claim("default", user, begun.pk)
    staging.append("default", sending, b"x" * 3500)
    with stop_at(2), pytest.raises(Stopped):
        removing.remove("default", [begun.pk])
    with pytest.raises(staging.Superseded):
        staging.append("default", sending, b"x" * 500)


def test_of_a_lost_object_the_row_goes(staged, ended):
    upload = staged(b"x" * 3500)
    with connection.cursor() as cursor:
        cursor.execute("select lo_unlink(%s)", [upload.loid])
    assert ended(upload) == (1, 1)


def test_a_strangers_object_stays(staged, ended, other_session):
    upload = staged(b"x" * 3500)
    other_session.execute("select lo_unlink(%s)", [upload.loid])
    other_session.execute("select lo_from_bytea(%s, %s)", [upload.loid, b"s" * 5000])
    ended(upload)
    ((content,),) = other_session.execute("select lo_get(%s)", [upload.loid])
    assert content == b"s" * 5000
    other_session.execute("select lo_unlink(%s)", [upload.loid])


def test_what_is_past_its_date_goes_with_its_object(staged, large_objects):
    before = large_objects()
    kept = [staged(name="kept.pdf")]
    gone = [staged(b"x" * 1500) for _ in range(12)]
    past(*gone)
    batches = list(removing.expire("default"))
    assert [len(batch) for batch in batches] == [10, 2]
    assert {pk for batch in batches for pk in batch} == {upload.pk for upload in gone}
    assert large_objects() == before | {upload.loid for upload in kept}


def test_what_is_being_taken_does_not_expire(staged, other_session):
    upload = staged()
    past(upload)
    with other_session.transaction():
        other_session.execute(
            "select from lo_storage_uploads_upload where id = %s for update", [upload.pk]
        )
        assert list(removing.expire("default")) == [[]]
    assert list(removing.expire("default")) == [[upload.pk]]
