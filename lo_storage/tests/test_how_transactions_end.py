"""Every way for a transaction to end: either all of its files are there, or none of them.

`change()` makes a file, replaces one, deletes one and writes into one, each with its row. Each test
ends its transaction in one way, and then counts rows, catalogue and large objects from another
session.
"""

import io
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.core.files.base import ContentFile, File
from django.db import DatabaseError, OperationalError, connection, transaction
from psycopg import errors

from lo_storage import catalogue
from lo_storage.storage import DbFileIO, db_file_storage

from .models import Document

BEFORE = {"deleted": b"old", "held": b"old", "patched": b"old", "replaced": b"old"}
AFTER = {"created": b"new", "held": b"old", "patched": b"new", "replaced": b"new"}


class Fault(Exception):
    pass


def change():
    Document.objects.create(title="created", data=ContentFile(b"new", "new.txt"))
    replaced = Document.objects.get(title="replaced")
    replaced.data = ContentFile(b"new", "new.txt")
    replaced.save()
    Document.objects.get(title="deleted").delete()
    write("patched")


def write(title):
    loid = db_file_storage.entry(Document.objects.get(title=title).data.name).loid
    with DbFileIO(loid, "r+b") as file:
        file.write(b"new")


def sql(statement, *params):
    with connection.cursor() as cursor:
        cursor.execute(statement, params or None)


@pytest.fixture
def stored(documents, other_session):
    """A function that returns the content of each committed file, once nothing else is there."""
    for title in BEFORE:
        documents.objects.create(title=title, data=ContentFile(b"old", "old.txt"))

    def numbers(query):
        return sorted(other_session.execute(query).fetchall())

    def stored():
        rows = other_session.execute(
            "select title, loid, size, version, lo_get(loid)"
            "  from lo_storage_tests_document left join lo_storage_largeobject on name = data"
        ).fetchall()
        loids = sorted((loid,) for _, loid, *_ in rows)
        assert numbers("select loid from lo_storage_largeobject") == loids
        assert numbers("select oid from pg_largeobject_metadata") == loids
        for title, _, size, version, content in rows:
            patched = (title, content) == ("patched", b"new")
            assert (title, size, version) == (title, len(content), 2 if patched else 1)
        return {title: content for title, *_, content in rows}

    assert stored() == BEFORE
    return stored


@contextmanager
def failing(error):
    """Expect an exception of Django's that was caused by one of the server's."""
    with pytest.raises(DatabaseError) as caught:
        yield
    assert type(caught.value.__cause__) is error


@contextmanager
def undone():
    """A transaction, or a savepoint in one, that an exception of ours rolls back."""
    with pytest.raises(Fault), transaction.atomic():  # noqa: PT012  # its end, too
        yield
        raise Fault


def commit():
    with transaction.atomic():
        change()


def every_change_a_transaction_of_its_own():
    Document.objects.create(title="created", data=ContentFile(b"new", "new.txt"))
    replaced = Document.objects.get(title="replaced")
    replaced.data = ContentFile(b"new", "new.txt")
    replaced.save()
    Document.objects.get(title="deleted").delete()
    with transaction.atomic():
        write("patched")


def commit_without_atomic():
    transaction.set_autocommit(False)
    change()
    transaction.commit()
    transaction.set_autocommit(True)


def savepoint_released():
    with transaction.atomic(), transaction.atomic():
        change()


def savepoints_released_and_the_one_beside_them_rolled_back():
    with transaction.atomic():
        with undone(), transaction.atomic():
            change()
        with transaction.atomic(), transaction.atomic():
            change()
        with undone():
            Document.objects.all().delete()


def constraints_checked_in_the_middle():
    with transaction.atomic():
        change()
        sql("set constraints all immediate")


def constraints_checked_before_each_statement():
    with transaction.atomic():
        sql("set constraints all immediate")
        change()


def constraints_checked_in_a_savepoint_that_is_rolled_back():
    """What the check has unlinked is back, and checked again at COMMIT."""
    with transaction.atomic():
        change()
        with undone():
            sql("set constraints all immediate")


def a_statement_that_failed_in_a_savepoint():
    with transaction.atomic():
        change()
        with failing(errors.DivisionByZero), transaction.atomic():
            sql("select 1/0")


@pytest.mark.parametrize(
    "end",
    [
        commit,
        every_change_a_transaction_of_its_own,
        commit_without_atomic,
        savepoint_released,
        savepoints_released_and_the_one_beside_them_rolled_back,
        constraints_checked_in_the_middle,
        constraints_checked_before_each_statement,
        constraints_checked_in_a_savepoint_that_is_rolled_back,
        a_statement_that_failed_in_a_savepoint,
    ],
)
def test_all_is_there_after(end, stored):
    end()
    assert stored() == AFTER


def exception():
    with undone():
        change()


def rollback_without_atomic():
    transaction.set_autocommit(False)
    change()
    transaction.rollback()
    transaction.set_autocommit(True)


def savepoint_rolled_back():
    with transaction.atomic(), transaction.atomic():
        change()
        transaction.set_rollback(True)


def savepoint_released_in_one_that_is_rolled_back():
    with transaction.atomic(), undone(), transaction.atomic():
        change()


def savepoint_released_and_the_transaction_rolled_back():
    with undone(), transaction.atomic():
        change()


def constraints_checked_and_then_rolled_back():
    with transaction.atomic():
        change()
        sql("set constraints all immediate")
        transaction.set_rollback(True)


def deleted_with_the_rows_and_then_rolled_back():
    """The large objects themselves are unlinked when it is rolled back."""
    with transaction.atomic():
        change()
        Document.objects.all().delete()
        sql("set constraints all immediate")
        transaction.set_rollback(True)


def failed_statement():
    with failing(errors.DivisionByZero), transaction.atomic():
        change()
        sql("select 1/0")


def failed_statement_that_was_caught():
    with transaction.atomic():
        change()
        with failing(errors.DivisionByZero):
            sql("select 1/0")


def failed_statement_that_was_caught_without_atomic():
    """COMMIT of a transaction that failed is a roll-back, without an error."""
    transaction.set_autocommit(False)
    change()
    with failing(errors.DivisionByZero):
        sql("select 1/0")
    transaction.commit()
    transaction.set_autocommit(True)


def foreign_key_of_another_table_at_commit():
    with failing(errors.ForeignKeyViolation), transaction.atomic():
        change()
        sql("create temporary table parent (id int primary key)")
        sql("create temporary table child (id int references parent initially deferred)")
        sql("insert into child values (1)")


def row_without_its_file_at_commit():
    with failing(errors.ForeignKeyViolation), transaction.atomic():
        change()
        Document.objects.create(data="4294967295.txt")


def file_deleted_under_its_row_at_commit():
    with failing(errors.ForeignKeyViolation), transaction.atomic():
        change()
        db_file_storage.delete(Document.objects.get(title="held").data.name)


def row_without_its_file_when_constraints_are_checked():
    with failing(errors.ForeignKeyViolation), transaction.atomic():
        change()
        Document.objects.create(data="4294967295.txt")
        sql("set constraints all immediate")


def connection_closed():
    transaction.set_autocommit(False)
    change()
    connection.close()


@pytest.mark.parametrize(
    "end",
    [
        exception,
        rollback_without_atomic,
        savepoint_rolled_back,
        savepoint_released_in_one_that_is_rolled_back,
        savepoint_released_and_the_transaction_rolled_back,
        constraints_checked_and_then_rolled_back,
        deleted_with_the_rows_and_then_rolled_back,
        failed_statement,
        failed_statement_that_was_caught,
        failed_statement_that_was_caught_without_atomic,
        foreign_key_of_another_table_at_commit,
        row_without_its_file_at_commit,
        file_deleted_under_its_row_at_commit,
        row_without_its_file_when_constraints_are_checked,
        connection_closed,
    ],
)
def test_all_is_as_before_after(end, stored):
    end()
    assert stored() == BEFORE
    commit()
    assert stored() == AFTER


@pytest.fixture
def held(stored, other_session):
    """A context manager, in which the other session has written into the file "held"."""

    @contextmanager
    def held(title="held"):
        with other_session.transaction(force_rollback=True):
            lock(title, other_session)
            yield

    return held


def lock(title, session):
    session.execute(
        "update lo_storage_largeobject set version = version from lo_storage_tests_document"
        " where name = data and title = %s",
        [title],
    )


@pytest.fixture
def once_blocked(other_session):
    """A context manager: calls a function with our backend's pid as soon as it waits for a lock."""

    @contextmanager
    def once_blocked(act):
        with connection.cursor() as cursor:
            cursor.execute("select pg_backend_pid()")
            (pid,) = cursor.fetchone()

        def wait_and_act():
            until(other_session, "wait_event_type = 'Lock'", pid)
            act(pid)

        with ThreadPoolExecutor() as pool:
            acted = pool.submit(wait_and_act)
            yield
            acted.result()

    return once_blocked


def until(session, condition, pid):
    """Return when `condition` is true of a backend, or (None) there is no such backend."""
    query = f"select {condition or 'pid'} from pg_stat_activity where pid = %s"
    wanted = (True,) if condition else None
    deadline = time.monotonic() + 20
    while session.execute(query, [pid]).fetchone() != wanted:
        assert time.monotonic() < deadline, "it did not happen"
        session.execute("select pg_stat_clear_snapshot()")  # kept until the end of a transaction


@pytest.mark.parametrize(
    ("setting", "error"),
    [("statement_timeout", errors.QueryCanceled), ("lock_timeout", errors.LockNotAvailable)],
)
def test_all_is_as_before_after_a_timeout_of_a_statement(setting, error, stored, held):
    with held(), failing(error), transaction.atomic():
        change()
        sql(f"set local {setting} = '20ms'")
        write("held")
    assert stored() == BEFORE


@pytest.mark.parametrize("setting", ["idle_in_transaction_session_timeout", "transaction_timeout"])
def test_all_is_as_before_after_a_timeout_of_the_session(setting, stored, other_session):
    connection.ensure_connection()
    if setting == "transaction_timeout" and connection.pg_version < 170000:
        pytest.skip("transaction_timeout came with PostgreSQL 17")
    pid = connection.connection.info.backend_pid
    with pytest.raises(DatabaseError), transaction.atomic():  # noqa: PT012  # its end, too
        change()
        sql(f"set local {setting} = '20ms'")
        until(other_session, None, pid)
        write("held")
    assert stored() == BEFORE


@pytest.mark.parametrize(
    ("function", "error"),
    [
        ("pg_cancel_backend", errors.QueryCanceled),
        ("pg_terminate_backend", errors.AdminShutdown),
    ],
)
@pytest.mark.parametrize("when", ["statement", "commit"])
def test_all_is_as_before_after_the_server_was_told_to(
    function, error, when, stored, held, once_blocked, other_session
):
    def end(pid):
        other_session.execute(f"select {function}(%s)", [pid])

    # The release of the old file waits, at COMMIT, for who has written into it.
    title = "held" if when == "statement" else "deleted"
    with held(title), once_blocked(end), failing(error), transaction.atomic():
        change()
        if when == "statement":
            write("held")
    assert stored() == BEFORE


def test_all_is_as_before_after_the_end_of_an_idle_session(stored, other_session):
    with failing(errors.AdminShutdown), transaction.atomic():
        change()
        pid = connection.connection.info.backend_pid
        other_session.execute("select pg_terminate_backend(%s)", [pid])
        write("held")
    assert stored() == BEFORE


def test_all_is_as_before_after_a_deadlock(stored, held, other_session):
    # Who waits looks for a deadlock once. The other has looked already when there is one.
    looked = """select true from pg_locks where pid = %s and not granted and clock_timestamp()
        > waitstart + current_setting('deadlock_timeout')::interval + interval '0.2 s'"""
    with (
        held(),
        ThreadPoolExecutor() as pool,
        failing(errors.DeadlockDetected),
        transaction.atomic(),
    ):
        change()
        pool.submit(lock, "patched", other_session)
        with connection.cursor() as cursor:
            deadline = time.monotonic() + 20
            while cursor.execute(looked, [other_session.info.backend_pid]).fetchone() is None:
                assert time.monotonic() < deadline, "it did not happen"
        write("held")
    assert stored() == BEFORE


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_all_is_as_before_after_a_serialization_failure(level, stored, other_session):
    with failing(errors.SerializationFailure), transaction.atomic():
        sql(f"set transaction isolation level {level}")
        change()
        other_session.execute(
            "update lo_storage_tests_document set title = 'held' where id in"
            " (select id from lo_storage_tests_document where title = 'held')"
        )
        Document.objects.filter(title="held").update(scan=None)
    assert stored() == BEFORE


def test_all_is_as_before_after_a_serialization_failure_at_commit(stored, other_session):
    """Each reads what the other writes; who commits second fails."""
    other_session.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
    with failing(errors.SerializationFailure), transaction.atomic():
        sql("set transaction isolation level serializable")
        change()
        with other_session.transaction():
            other_session.execute("select * from lo_storage_tests_document")
            other_session.execute(
                "update lo_storage_tests_document set scan = null where title = 'held'"
            )
    other_session.isolation_level = None
    assert stored() == BEFORE


def test_what_is_tried_again_after_a_serialization_failure_is_there_once(stored, other_session):
    content, failures = ContentFile(b"new", "new.txt"), []
    while True:
        content.seek(0)
        try:
            with transaction.atomic():
                sql("set transaction isolation level repeatable read")
                Document.objects.create(title="created", data=content)
                if not failures:
                    other_session.execute(
                        "update lo_storage_tests_document set scan = null where title = 'held'"
                    )
                Document.objects.filter(title="held").update(scan=None)
            break
        except OperationalError as error:
            failures.append(type(error.__cause__))
    assert failures == [errors.SerializationFailure]
    assert stored() == {**BEFORE, "created": b"new"}


def test_an_instance_that_was_rolled_back_is_refused_until_it_has_a_new_file(stored):
    document = Document(title="created", data=ContentFile(b"new", "new.txt"))
    with undone():
        document.save()
    with failing(errors.ForeignKeyViolation):
        document.save()
    assert stored() == BEFORE
    document.data = ContentFile(b"new", "new.txt")
    document.save()
    assert stored() == {**BEFORE, "created": b"new"}


PROCESS = """
import json, sys
import django
from django.conf import settings

settings.configure(DATABASES={"default": json.loads(sys.argv[1])}, INSTALLED_APPS=["lo_storage"])
django.setup()
from lo_storage.tests import test_how_transactions_end
getattr(test_how_transactions_end, sys.argv[2])()
"""


@contextmanager
def process(function):
    """Run a function of this module in a process of its own, and kill it in the end."""
    keys = ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT")
    database = {key: connection.settings_dict[key] for key in keys}
    with subprocess.Popen(
        [sys.executable, "-c", PROCESS, json.dumps(database), function.__name__],
        cwd=Path(catalogue.__file__).parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()
    assert running.returncode == -9


def say_and_wait():
    print(connection.connection.info.backend_pid, flush=True)
    sys.stdin.read()


def killed_with_everything_written():
    with transaction.atomic():
        change()
        say_and_wait()


def killed_with_everything_unlinked():
    with transaction.atomic():
        change()
        Document.objects.all().delete()
        sql("set constraints all immediate")
        say_and_wait()


class Unfinished(File):
    def chunks(self, chunk_size=None):
        yield b"x" * 3_000_000
        say_and_wait()


def killed_in_the_middle_of_a_save():
    Document.objects.create(title="created", data=Unfinished(io.BytesIO(), "new.txt"))


def killed_in_the_middle_of_a_save_without_a_row():
    db_file_storage.save("new.txt", Unfinished(io.BytesIO()))


@pytest.mark.parametrize(
    "function",
    [
        killed_with_everything_written,
        killed_with_everything_unlinked,
        killed_in_the_middle_of_a_save,
        killed_in_the_middle_of_a_save_without_a_row,
    ],
)
def test_all_is_as_before_after_a_process_was(function, stored, other_session):
    with process(function) as running:
        pid = int(running.stdout.readline())
    until(other_session, None, pid)
    assert stored() == BEFORE


def killed_when_it_had_committed():
    commit()
    say_and_wait()


def test_all_is_there_after_a_process_was_killed_when_it_had_committed(stored, other_session):
    with process(killed_when_it_had_committed) as running:
        pid = int(running.stdout.readline())
    until(other_session, None, pid)
    assert stored() == AFTER


def killed_in_its_commit():
    with transaction.atomic():
        change()
        print(connection.connection.info.backend_pid, flush=True)


def test_all_is_there_after_a_process_was_killed_in_its_commit(stored, held, other_session):
    """The server has been told to commit, and does so, whoever waits for the answer."""
    with held("deleted"), process(killed_in_its_commit) as running:
        pid = int(running.stdout.readline())
        until(other_session, "wait_event_type = 'Lock' and query = 'COMMIT'", pid)
        running.kill()
        running.wait()
    until(other_session, None, pid)
    assert stored() == AFTER


def test_closing_a_file_does_not_hide_the_error_in_its_transaction(stored):
    loid = db_file_storage.entry(Document.objects.get(title="held").data.name).loid
    with failing(errors.DivisionByZero), transaction.atomic(), DbFileIO(loid, "r+b") as file:
        file.write(b"new")
        sql("select 1/0")
    assert file.closed
    with undone(), DbFileIO(loid, "r+b") as file:
        file.write(b"new")
    assert stored() == BEFORE


def test_closing_a_buffered_file_tells_the_error_in_its_transaction(stored):
    """A buffer writes when it is closed, as one around any file, and shows what came first."""
    loid = db_file_storage.entry(Document.objects.get(title="held").data.name).loid
    with (  # noqa: PT012  # its end, too
        pytest.raises(DatabaseError) as caught,
        transaction.atomic(),
        io.BufferedWriter(DbFileIO(loid, "r+b")) as file,
    ):
        file.write(b"new")
        sql("select 1/0")
    assert type(caught.value.__cause__) is errors.InFailedSqlTransaction
    assert type(caught.value.__cause__.__context__.__cause__) is errors.DivisionByZero
    assert stored() == BEFORE


def test_deleting_what_is_not_there_does_not_break_the_transaction(stored):
    with transaction.atomic():
        change()
        db_file_storage.delete("4294967295.txt")
        db_file_storage.delete("nothing of the kind")
    assert stored() == AFTER
