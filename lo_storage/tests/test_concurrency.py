"""Two sessions and one file. The other session's statement is ours, run over its own cursor."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import combinations, product

import psycopg
import pytest
from django.core.files.base import ContentFile
from django.db import OperationalError, connection, transaction

from lo_storage import catalogue
from lo_storage.storage import DbFileIO, db_file_storage

from .models import Attachment

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def entry(save):
    return db_file_storage.entry(save(b"0123456789"))


@pytest.fixture
def loid(entry):
    return entry.loid


@pytest.fixture
def other(other_session):
    with other_session.cursor(binary=True) as cursor:
        yield cursor


@pytest.fixture
def wait_until_blocked(other_session):
    """A function that returns once the other session waits for a lock."""

    def wait(future):
        with connection.cursor() as cursor:
            while True:
                cursor.execute(
                    "select wait_event_type = 'Lock' from pg_stat_activity where pid = %s",
                    [other_session.info.backend_pid],
                )
                if cursor.fetchone() == (True,):
                    return
                assert not future.done(), future.result()

    return wait


def test_two_writers_queue(entry, loid, other, wait_until_blocked):
    with ThreadPoolExecutor() as pool:
        with transaction.atomic():
            with DbFileIO(loid, "r+b") as file:
                file.write(b"AAAA")
            second = pool.submit(catalogue.write, other, loid, 2, b"bb", entry.created_at)
            wait_until_blocked(second)
        second.result()
    with DbFileIO(loid) as file:
        assert file.read() == b"AAbb456789"
    assert db_file_storage.entry(f"{loid}.txt").version == 3


def test_under_repeatable_read_the_second_writer_fails(entry, loid, other, other_session):
    other_session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with other_session.transaction(force_rollback=True):
        assert catalogue.read_rows(other, loid, 0, 10, entry.created_at)[1] == [b"0123456789"]
        with transaction.atomic(), DbFileIO(loid, "r+b") as file:
            file.write(b"AAAA")
        with pytest.raises(psycopg.errors.SerializationFailure):
            catalogue.write(other, loid, 2, b"bb", entry.created_at)
    with DbFileIO(loid) as file:
        assert file.read() == b"AAAA456789"


def test_of_two_that_delete_one_finds_nothing(loid, other, wait_until_blocked, large_objects):
    name = f"{loid}.txt"
    with ThreadPoolExecutor() as pool:
        with transaction.atomic():
            db_file_storage.delete(name)
            second = pool.submit(catalogue.delete, other, name)
            wait_until_blocked(second)
        second.result()
    assert large_objects() == set()


def test_a_deletion_rolled_back_lets_the_second_one_delete(
    loid, other, wait_until_blocked, large_objects
):
    name = f"{loid}.txt"
    with ThreadPoolExecutor() as pool:
        with transaction.atomic():
            db_file_storage.delete(name)
            second = pool.submit(catalogue.delete, other, name)
            wait_until_blocked(second)
            transaction.set_rollback(True)
        second.result()
    assert large_objects() == set()


def test_a_writer_of_what_was_deleted_finds_nothing(entry, loid, other, wait_until_blocked):
    with ThreadPoolExecutor() as pool:
        with transaction.atomic():
            db_file_storage.delete(f"{loid}.txt")
            second = pool.submit(catalogue.write, other, loid, 0, b"x", entry.created_at)
            wait_until_blocked(second)
        with pytest.raises(FileNotFoundError):
            second.result()


def test_a_reader_of_one_statement_never_sees_two_contents(entry, loid, other, other_session):
    with other_session.transaction():
        catalogue.write(other, loid, 0, b"AAAAAAAAAA", entry.created_at)
        with DbFileIO(loid) as file:
            assert file.read() == b"0123456789"


def test_a_session_that_is_terminated_leaves_nothing(other, other_session, large_objects):
    before = large_objects()
    # The end of the transaction raises as well.
    with pytest.raises(psycopg.OperationalError), other_session.transaction():  # noqa: PT012  # its end, too
        loid, _, created_at = catalogue.create(other, b"x" * 100, "march.pdf")
        assert catalogue.read_rows(other, loid, 0, 100, created_at)[1] == [b"x" * 100]
        with connection.cursor() as cursor:
            cursor.execute("select pg_terminate_backend(%s)", [other_session.info.backend_pid])
        other.execute("select 1")
    assert large_objects() == before


def test_a_connection_lost_in_a_transaction_leaves_nothing(other, large_objects):
    before = large_objects()
    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        (pid,) = cursor.fetchone()
    with (  # noqa: PT012  # its end, too
        pytest.raises(OperationalError),
        transaction.atomic(),
        DbFileIO(0, "wb", "a.txt") as file,
    ):
        file.write(b"x")
        other.execute("select pg_terminate_backend(%s)", [pid])
        file.write(b"y")
    connection.close()
    assert large_objects() == before


def test_two_that_let_go_of_the_last_two_names_leave_no_file(documents, other, other_session):
    """Each still sees the other's row in its snapshot; one of them has to fail."""
    name = db_file_storage.save("march.txt", ContentFile(b"march"))
    for title in ("ours", "theirs"):
        documents.objects.create(title=title, data=name)
    other_session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    # What fails is the other's COMMIT.
    with (  # noqa: PT012  # its end, too
        pytest.raises(psycopg.errors.SerializationFailure),
        other_session.transaction(),
        transaction.atomic(),
    ):
        with connection.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read")
        other.execute("delete from lo_storage_tests_document where title = 'theirs'")
        documents.objects.filter(title="ours").delete()
    assert documents.objects.get().title == "theirs"
    with documents.objects.get().data as file:
        assert file.read() == b"march"
    documents.objects.get().delete()
    assert not db_file_storage.exists(name)


LEVELS = ["read committed", "repeatable read", "serializable"]


@pytest.mark.parametrize("theirs", LEVELS)
@pytest.mark.parametrize("ours", LEVELS)
def test_two_tables_that_let_go_of_a_file_at_once(
    documents, other, other_session, large_objects, ours, theirs
):
    """The file goes with the last row, and a transaction that could not know has to fail."""
    name = db_file_storage.save("march.txt", ContentFile(b"march"))
    documents.objects.create(data=name)
    Attachment.objects.create(data=name)
    other_session.autocommit = False
    other.execute(f"set transaction isolation level {theirs}")
    other.execute("delete from lo_storage_tests_attachment")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"set transaction isolation level {ours}")
        documents.objects.all().delete()
    assert len(large_objects()) == 1
    if theirs == "read committed":
        other_session.commit()
        assert not Attachment.objects.exists()
    else:
        with pytest.raises(psycopg.errors.SerializationFailure):
            other_session.commit()
        with Attachment.objects.get().data as file:
            assert file.read() == b"march"
        Attachment.objects.all().delete()
    assert large_objects() == set()


DOCUMENT, ATTACHMENT = "lo_storage_tests_document", "lo_storage_tests_attachment"
# How many rows of each table name the file, and what the two sessions do.
CHANGES = {
    "two tables let go by deletion": (
        (1, 1),
        f"delete from {DOCUMENT}",
        f"delete from {ATTACHMENT}",
    ),
    "two tables let go by null": (
        (1, 1),
        f"update {DOCUMENT} set data = null",
        f"update {ATTACHMENT} set data = null",
    ),
    "two rows of one table let go": (
        (2, 0),
        f"delete from {DOCUMENT} where title = '0'",
        f"delete from {DOCUMENT} where title = '1'",
    ),
    "one lets go, another table begins": (
        (1, 0),
        f"delete from {DOCUMENT}",
        f"insert into {ATTACHMENT} (data) values (%(name)s)",
    ),
    "one moves, the same table begins": (
        (1, 0),
        f"with gone as (delete from {DOCUMENT} where title = '0' returning data)"
        f" insert into {ATTACHMENT} (data) select data from gone",
        f"insert into {DOCUMENT} (title, data) values ('1', %(name)s)",
    ),
}
# What tells a transaction to try again.
RETRY = {psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected}


class Session:
    """Runs statements one after the other, in a thread of its own; remembers what was refused."""

    def __init__(self, connection):
        self.connection, self.pool = connection, ThreadPoolExecutor(1)
        self.refused, self.last = None, None

    def run(self, statement, parameters):
        try:
            self.connection.execute(statement, parameters)
        except psycopg.errors.InFailedSqlTransaction:
            assert self.refused is not None
        except psycopg.Error as error:
            self.refused = type(error)

    def step(self, observer, statement, parameters):
        """Begin a statement; return once it has ended, or waits for the other session."""
        self.last = self.pool.submit(self.run, statement, parameters)
        blocked = "select cardinality(pg_blocking_pids(%s)) > 0"
        while True:
            try:
                return self.last.result(timeout=0.005)
            except TimeoutError:
                pid = self.connection.info.backend_pid
                if observer.execute(blocked, [pid]).fetchone() == (True,):
                    return None


@pytest.fixture
def three_sessions(other_session):
    info = other_session.info
    with ExitStack() as stack:

        def another():
            session = psycopg.connect(info.dsn, password=info.password, autocommit=True)
            return stack.enter_context(session)

        sessions = [Session(other_session), Session(another())]
        for session in sessions:
            stack.enter_context(session.pool)
        yield *sessions, another()


@pytest.mark.parametrize(
    ("ours", "theirs", "check"),
    [
        *((ours, theirs, []) for ours, theirs in product(LEVELS, LEVELS)),
        # Where the check comes before COMMIT, something can come between the two.
        *((level, level, ["set constraints all immediate"]) for level in LEVELS),
    ],
)
@pytest.mark.parametrize("change", CHANGES)
def test_every_order_of_two_transactions(documents, three_sessions, change, ours, theirs, check):
    """Whatever comes first: the file is there if a row names it, and else it is not."""
    (of_documents, of_attachments), *statements = CHANGES[change]
    *sessions, observer = three_sessions
    scripts = [
        [f"begin isolation level {level}; select from {DOCUMENT}", statement, *check, "commit"]
        for level, statement in zip([ours, theirs], statements, strict=True)
    ]
    ended, steps = Counter(), len(scripts[0])
    for first in combinations(range(2 * steps), steps):
        with transaction.atomic():
            name = db_file_storage.save("march.txt", ContentFile(b"march"))
            for title in range(of_documents):
                documents.objects.create(title=str(title), data=name)
            for _ in range(of_attachments):
                Attachment.objects.create(data=name)
        remaining = [iter(script) for script in scripts]
        for session in sessions:
            session.refused = None
        for moment in range(2 * steps):
            which = int(moment not in first)
            statement = next(remaining[which])
            parameters = {"name": name} if "%(name)s" in statement else None
            sessions[which].step(observer, statement, parameters)
        for session in sessions:
            session.last.result()
        named = observer.execute(
            f"select data from {DOCUMENT} where data is not null"
            f" union select data from {ATTACHMENT} where data is not null"
        ).fetchall()
        kept = observer.execute(
            "select name from lo_storage_largeobject"
            " join pg_largeobject_metadata object on object.oid = loid"
        ).fetchall()
        assert kept == named, first
        refused = [session.refused for session in sessions]
        for error, statement, level in zip(refused, statements, [ours, theirs], strict=True):
            # The file is gone; or it is named by a row that is too new for this snapshot.
            may_miss = "insert" in statement or level != "read committed"
            known = {None, *RETRY, *([psycopg.errors.ForeignKeyViolation] * may_miss)}
            assert error in known, first
        ended[tuple(error and error.__name__ for error in refused)] += 1
        Attachment.objects.all().delete()
        documents.objects.all().delete()
    assert ended[None, None]  # one after the other
    assert observer.execute("select count(*) from pg_largeobject_metadata").fetchone() == (0,)


def test_a_row_that_begins_to_name_the_file_is_waited_for(documents, other, wait_until_blocked):
    name = db_file_storage.save("march.txt", ContentFile(b"march"))
    documents.objects.create(data=name)
    with ThreadPoolExecutor() as pool:
        with transaction.atomic():
            copy = documents.objects.create(data=name)
            with connection.cursor() as cursor:
                cursor.execute("set constraints all immediate")
            deletion = pool.submit(
                other.execute, "delete from lo_storage_tests_document where id <> %s", [copy.pk]
            )
            wait_until_blocked(deletion)
        deletion.result()
    assert documents.objects.get() == copy
    with documents.objects.get().data as file:
        assert file.read() == b"march"
