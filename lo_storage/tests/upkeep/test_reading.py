import threading

import pytest
from django.db import InternalError, connection

from lo_storage.upkeep.reading import at_once, in_chunks, reading


def test_nothing_can_be_written(transactional_db):
    with pytest.raises(InternalError, match="read-only transaction"), reading("default") as cursor:
        cursor.execute("create table written ()")
    with connection.cursor() as cursor:  # and afterwards it can
        cursor.execute("create table written (); drop table written")


def test_a_large_result_comes_in_chunks(transactional_db):
    chunks = list(in_chunks("default", "select generate_series(1, %s)", [25], size=10))
    assert [len(chunk) for chunk in chunks] == [10, 10, 5]
    assert [number for chunk in chunks for (number,) in chunk] == list(range(1, 26))


@pytest.mark.parametrize("jobs", [1, 3])
def test_results_come_in_order(transactional_db, jobs):
    def double(number):
        with reading("default") as cursor:
            cursor.execute("select 2 * %s", [number])
            return cursor.fetchone()[0]

    assert list(at_once(jobs, double, range(20), "default")) == [2 * n for n in range(20)]


def test_several_run_at_once(transactional_db):
    barrier = threading.Barrier(3, timeout=30)
    assert list(at_once(3, lambda _: barrier.wait() >= 0, range(3), "default")) == [True] * 3


def test_no_more_is_begun_than_is_soon_asked_for(transactional_db):
    begun = []

    def parts():
        for number in range(1000):
            begun.append(number)
            yield number

    results = at_once(2, lambda number: number, parts(), "default")
    assert next(results) == 0
    assert len(begun) == 4
    results.close()
    assert len(begun) == 4


def test_what_fails_in_a_thread_is_raised(transactional_db):
    def fail(number):
        raise ValueError(number)

    with pytest.raises(ValueError, match="0"):
        list(at_once(2, fail, range(10), "default"))


def test_a_thread_has_one_connection_and_leaves_none(transactional_db, other_session):
    def ask(_):
        with reading("default") as cursor:
            cursor.execute("select pg_backend_pid()")
            return cursor.fetchone()[0]

    used = set(at_once(2, ask, range(8), "default"))
    assert 1 <= len(used) <= 2
    # A backend ends a moment after its client has gone.
    for pid in used:
        other_session.execute("select pg_terminate_backend(%s, 10000)", [pid])
    alive = other_session.execute(
        "select count(*) from pg_stat_activity where pid = any (%s)", [list(used)]
    ).fetchone()
    assert alive == (0,)
    with connection.cursor() as cursor:
        cursor.execute("select 1")  # Ours was none of them.
