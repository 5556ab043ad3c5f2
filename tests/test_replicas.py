"""Reading from a streaming replica, which lags behind, and cancels what is in its way."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from asgiref.sync import async_to_sync
from django.db import connections
from django.test import AsyncRequestFactory, RequestFactory

from lo_storage.storage import db_file_storage
from lo_storage.views import adb_serve, db_serve

from .conftest import ALIAS, OPTIONS
from .web_servers import eventually


class Replica:
    """A streaming replica of the server, and the alias by which Django reads from it."""

    alias = "replica"

    def __init__(self, server, socket):
        self.server, self.socket = server, socket

    def connect(self):
        return psycopg.connect(host=self.socket, dbname="app", user="postgres", autocommit=True)

    def catch_up(self):
        """Wait until all that the server has written is replayed here."""
        with self.server.connect("postgres") as session, self.connect() as replica:
            (end,) = session.execute("select pg_switch_wal()").fetchone()
            reached = "select pg_last_wal_replay_lsn() >= %s::pg_lsn"
            eventually(lambda: replica.execute(reached, [end]).fetchone(), lambda row: row[0])

    @contextmanager
    def replay_paused(self):
        with self.connect() as session:
            session.execute("select pg_wal_replay_pause()")
            state = "select pg_get_wal_replay_pause_state()"
            eventually(lambda: session.execute(state).fetchone(), lambda row: row == ("paused",))
            try:
                yield
            finally:
                session.execute("select pg_wal_replay_resume()")

    @contextmanager
    def cancels_once(self, who_has, and_waits_for):
        """Cancel the first statement that has the one table and waits for the other."""

        def cancel():
            with self.connect() as session:
                eventually(lambda: waited_for(session), {and_waits_for}.__eq__, seconds=5)
                # It is in the way of this lock; cancelled it has been when it comes again.
                with self.server.connect("postgres") as other, other.transaction():
                    lock(other, who_has)
                    eventually(lambda: waited_for(session), {who_has}.__eq__, seconds=5)
                    first.rollback()

        with self.server.connect("postgres") as first, ThreadPoolExecutor() as pool:
            first.autocommit = False
            lock(first, and_waits_for)
            self.catch_up()
            cancelled = pool.submit(cancel)
            yield
            cancelled.result()


@pytest.fixture
def replica(server, settings):
    with tempfile.TemporaryDirectory(prefix="replica-", dir="/tmp") as directory:
        server.own(directory)
        run, data, log = server.server.run, Path(directory) / "data", Path(directory) / "log"
        source = [f"--host={server.socket}", "--port=5432", "--username=postgres"]
        run(
            *["pg_basebackup", f"--pgdata={data}", *source, "--checkpoint=fast"],
            *["--write-recovery-conf", "--no-sync"],
        )
        options = f"-k {directory} {OPTIONS} -c max_standby_streaming_delay=0"
        run("pg_ctl", "start", f"--pgdata={data}", f"--options={options}", f"--log={log}")
        try:
            replica = Replica(server, directory)
            connections[replica.alias] = connections[ALIAS].copy(replica.alias)
            connections[replica.alias].settings_dict["HOST"] = directory
            settings.PG_LO_STORAGE_DB_FOR_READ = replica.alias
            yield replica
        finally:
            connections[replica.alias].close()
            del connections[replica.alias]
            run("pg_ctl", "stop", f"--pgdata={data}", "--mode=immediate")


def by_wsgi(name):
    return b"".join(db_serve(RequestFactory().get("/"), name))


@async_to_sync
async def by_asgi(name):
    response = await adb_serve(AsyncRequestFactory().get("/"), name)
    return b"".join([piece async for piece in response])


@pytest.mark.parametrize("content", [b"march", bytes(range(256)) * 8192], ids=["small", "large"])
def test_what_has_not_arrived_is_read_from_the_server(replica, stored, content):
    with replica.replay_paused():
        name = stored(content)
        assert db_file_storage.locate(name)[0] == ALIAS
        assert by_wsgi(name) == by_asgi(name) == content
    replica.catch_up()
    assert db_file_storage.locate(name)[0] == replica.alias
    assert by_wsgi(name) == by_asgi(name) == content


CATALOGUE = "lo_storage_largeobject"


def test_a_piece_that_the_replica_cancels_is_read_again(replica, stored):
    content = bytes(range(256)) * 1024
    name = stored(content)
    replica.catch_up()
    pieces = iter(db_serve(RequestFactory().get("/"), name))
    with replica.cancels_once(who_has=CATALOGUE, and_waits_for="pg_largeobject_metadata"):
        assert next(pieces) == content


def test_what_is_looked_up_when_the_replica_cancels_is_looked_up_again(replica, stored, server):
    name = stored(b"march")
    with server.connect() as session:
        # Whoever reads the catalogue then locks this one, too, and after the catalogue.
        session.execute(f"create table more () inherits ({CATALOGUE})")
        try:
            replica.catch_up()
            with replica.cancels_once(who_has=CATALOGUE, and_waits_for="more"):
                assert db_file_storage.locate(name)[0] == replica.alias
        finally:
            session.execute("drop table more")


def lock(session, table):
    session.execute(f"lock table only {table} in access exclusive mode")
    # Writes to the log what has not been written yet.
    session.execute("select pg_switch_wal()")


def waited_for(session):
    """The tables for which statements of others wait."""
    rows = session.execute("select relation::regclass::text from pg_locks where not granted")
    return {table for (table,) in rows}
