"""A server that is killed, and one whose disk is full: what was committed is there, no more."""

import os
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import psycopg
import pytest
from django.core.files.base import ContentFile
from django.db import OperationalError, connections, transaction
from psycopg import errors

from config import embedded_postgres
from lo_storage import catalogue
from lo_storage.models import LargeObject
from lo_storage.tests.models import Document

from .conftest import ALIAS

documents = Document.objects.using(ALIAS)


def create(title, content):
    documents.create(title=title, data=ContentFile(content, "a.bin"))


def change():
    create("created", b"new")
    replaced = documents.get(title="replaced")
    replaced.data = ContentFile(b"new" * 1_000_000, "a.bin")
    replaced.save()
    documents.filter(title="deleted").delete()


def stop_immediately(server):
    server.stop("immediate")
    server.start()


def kill_a_backend(server):
    """As the kernel does when memory runs out: the server ends every session and recovers."""
    with server.connect() as session, server.connect() as witness:
        os.kill(session.info.backend_pid, signal.SIGKILL)
        with suppress(psycopg.OperationalError):
            while True:  # Until the server has seen it, it takes new sessions.
                witness.execute("select 1")
    server.wait_until_it_answers()


@pytest.mark.parametrize("crash", [stop_immediately, kill_a_backend])
def test_a_crash_keeps_what_was_committed_and_nothing_else(server, crash):
    before = {title: os.urandom(3_000_000) for title in ("kept", "replaced", "deleted")}
    for title, content in before.items():
        create(title, content)
    with pytest.raises(OperationalError), transaction.atomic(using=ALIAS):  # noqa: PT012  # its end, too
        change()
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("set constraints all immediate")
            crash(server)
            cursor.execute("select 1")
    assert server.stored() == before
    with transaction.atomic(using=ALIAS):
        change()
    crash(server)
    after = {"kept": before["kept"], "replaced": b"new" * 1_000_000, "created": b"new"}
    assert server.stored() == after


@pytest.mark.parametrize("decision", ["commit", "rollback"])
def test_a_prepared_transaction_waits_through_a_crash(server, decision):
    for title in ("replaced", "deleted"):
        create(title, b"old")
    transaction.set_autocommit(False, using=ALIAS)
    change()
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("prepare transaction 'change'")
    stop_immediately(server)
    assert server.stored() == {"replaced": b"old", "deleted": b"old"}
    connections[ALIAS].close()
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(f"{decision} prepared 'change'")
    assert server.stored() == (
        {"created": b"new", "replaced": b"new" * 1_000_000}
        if decision == "commit"
        else {"replaced": b"old", "deleted": b"old"}
    )


def test_a_crash_while_many_commit(server):
    """What was said to be committed is there, and of the rest all or nothing."""
    begun, committed = {}, set()

    def commit_until_the_crash(writer):
        with server.connect() as session, session.cursor(binary=True) as cursor:
            for number in range(1_000_000):
                title = f"{writer} {number}"
                begun[title] = os.urandom(20_000)
                with session.transaction():
                    _, name, _ = catalogue.create(cursor, begun[title], "a.bin")
                    cursor.execute(
                        "insert into lo_storage_tests_document (title, data) values (%s, %s)",
                        [title, name],
                    )
                committed.add(title)

    with ThreadPoolExecutor() as pool:
        writers = [pool.submit(commit_until_the_crash, writer) for writer in range(4)]
        while len(committed) < 100 and not any(writer.done() for writer in writers):
            pass
        server.stop("immediate")
    assert {type(writer.exception()) for writer in writers} <= {
        errors.AdminShutdown,
        errors.CrashShutdown,
        psycopg.OperationalError,
    }
    server.start()
    stored = server.stored()
    assert stored.keys() >= committed
    assert stored == {title: begun[title] for title in stored}


def test_a_crash_empties_an_unlogged_table_and_leaves_its_files_to_be_cleaned(server):
    create("march", b"march")
    with server.connect() as session:
        session.execute("alter table lo_storage_tests_document set unlogged")
    connections[ALIAS].close()
    stop_immediately(server)
    with server.connect() as session:
        session.execute("alter table lo_storage_tests_document set logged")
    assert not documents.exists()
    assert LargeObject.objects.using(ALIAS).count() == 1
    LargeObject.objects.using(ALIAS).all().delete()
    assert server.stored() == {}


def test_a_full_lock_table_refuses_a_deletion_and_loses_nothing(server):
    with server.connect() as session:
        session.execute(
            "with object as materialized ("
            "  select lo_create(0) as loid from generate_series(1, 5000)"
            "), made as ("
            "  insert into lo_storage_largeobject"
            "         (loid, name, original_name, size, version, created_at, modified_at)"
            "  select loid, loid || '.txt', '', 0, 1, now(), now() from object returning name"
            ")"
            "insert into lo_storage_tests_document (title, data) select name, name from made"
        )
        before = server.stored()
    server.stop("fast")
    server.start("-c max_locks_per_transaction=10")
    with pytest.raises(OperationalError, match="out of shared memory") as caught:
        documents.delete()
    assert type(caught.value.__cause__) is errors.OutOfMemory
    connections[ALIAS].close()
    assert len(before) == 5000
    assert server.stored() == before
    server.stop("fast")
    server.start()


@contextmanager
def small_disk(server, directory, size):
    directory.mkdir()
    try:
        mount("--types=tmpfs", f"--options=size={size}", "tmpfs", directory)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this user may not mount a small disk: {error.stderr.strip()}")
    try:
        server.own(directory)
        yield directory
    finally:
        # A server that a failed test left may still use it.
        subprocess.run(["umount", "--lazy", directory], check=True)


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True, capture_output=True, text=True)


@pytest.fixture
def small_database(server, tmp_path):
    """A database whose files lie on a small disk of their own, and its large objects there, too."""
    with (
        small_disk(server, tmp_path / "disk", "24m") as disk,
        server.connect("postgres") as session,
    ):
        session.execute(f"create tablespace small location '{disk}'")
        session.execute("create database small owner app tablespace small")
        server.use("small")
        server.make_tables()
        yield server
        server.use("app")
        session.execute("drop database small with (force)")
        session.execute("drop tablespace small")


def vacuum(server):
    """As autovacuum does, after some time."""
    with server.connect("postgres") as session:
        session.execute("vacuum pg_largeobject")


def test_a_full_disk_refuses_a_file_and_takes_a_smaller_one(small_database):
    server = small_database
    create("replaced", b"old" * 1_000_000)
    before = server.stored()
    vacuum(server)
    replaced = documents.get(title="replaced")
    for _ in range(2):
        replaced.data = ContentFile(os.urandom(20_000_000), "a.bin")
        with pytest.raises(OperationalError, match="No space left on device") as caught:
            replaced.save()
        assert type(caught.value.__cause__) is errors.DiskFull
        assert server.stored() == before
    vacuum(server)
    replaced.data = ContentFile(b"new" * 1_000_000, "a.bin")
    replaced.save()
    assert server.stored() == {"replaced": b"new" * 1_000_000}


@pytest.fixture
def small_log(server, tmp_path):
    """A small disk with the write-ahead log, which has no room to grow."""
    log, elsewhere = server.data / "pg_wal", server.data / "pg_wal.elsewhere"
    with small_disk(server, tmp_path / "disk", "1g") as disk:
        server.stop("fast")
        log.rename(elsewhere)
        log.symlink_to(disk)
        subprocess.run(["cp", "-a", f"{elsewhere}/.", disk], check=True)
        size = sum(file.stat().st_size for file in elsewhere.rglob("*"))
        mount(f"--options=remount,size={size + 1_000_000}", disk)
        server.start()
        yield disk
        server.stop("fast")
        log.unlink()
        shutil.rmtree(elsewhere)
        subprocess.run(["cp", "-a", disk, log], check=True)
    server.start()


def test_a_full_disk_of_the_log_stops_the_server_and_loses_nothing(server, small_log):
    """PostgreSQL does not go on without its log. With room for it, it does."""
    create("kept", b"kept")
    # The session ends with the server, so that this is all that the client learns.
    with pytest.raises(OperationalError):
        create("too large", os.urandom(80_000_000))
    connections[ALIAS].close()
    with suppress(embedded_postgres.StartError):  # it has stopped already, or is about to
        server.stop("immediate")
    assert "PANIC:  could not write to file" in server.log.read_text()
    mount("--options=remount,size=1g", small_log)
    server.start()
    assert server.stored() == {"kept": b"kept"}
    create("created", b"created")
    assert server.stored() == {"kept": b"kept", "created": b"created"}
