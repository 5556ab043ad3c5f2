"""Reading from a streaming replica, which lags behind, and cancels what is in its way."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest
from asgiref.sync import async_to_sync
from django.db import OperationalError, connections, transaction
from django.test import AsyncRequestFactory, Client, RequestFactory
from django.urls import include, path

from lo_storage.storage import DbFileStorage, db_file_storage
from lo_storage.views import adb_serve, db_serve

from .conftest import ALIAS, OPTIONS
from .web_servers import eventually


class Replica:
    """A streaming replica of the server, and the alias by which Django reads from it."""

    alias = "replica"

    def __init__(self, server, socket, data):
        self.server, self.socket, self.data = server, socket, data

    def start(self):
        options = f"-k {self.socket} {OPTIONS} -c max_standby_streaming_delay=0"
        log = f"--log={self.socket}/log"
        self.server.server.run(
            "pg_ctl", "start", f"--pgdata={self.data}", f"--options={options}", log
        )

    def stop(self):
        self.server.server.run("pg_ctl", "stop", f"--pgdata={self.data}", "--mode=immediate")

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
    def cancels_once(self, who_has, and_waits_for, comes_again=True):
        """Cancel the first statement that has the one table and waits for the other."""
        afterwards = {who_has} if comes_again else set()

        def cancel():
            with self.connect() as session:
                eventually(lambda: waited_for(session), {and_waits_for}.__eq__)
                # It is in the way of this lock, and cancelled when it comes again, or never does.
                with self.server.connect("postgres") as other, other.transaction():
                    lock(other, who_has)
                    eventually(lambda: waited_for(session), afterwards.__eq__)
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
        run, data = server.server.run, Path(directory) / "data"
        source = [f"--host={server.socket}", "--port=5432", "--username=postgres"]
        run(
            *["pg_basebackup", f"--pgdata={data}", *source, "--checkpoint=fast"],
            *["--write-recovery-conf", "--no-sync"],
        )
        replica = Replica(server, directory, data)
        replica.start()
        try:
            connections[replica.alias] = connections[ALIAS].copy(replica.alias)
            connections[replica.alias].settings_dict["HOST"] = directory
            settings.PG_LO_STORAGE_DB_FOR_READ = replica.alias
            yield replica
        finally:
            connections[replica.alias].close()
            del connections[replica.alias]
            replica.stop()


urlpatterns = [path("x-accel/", include("lo_storage.accel")), path("<filename>", db_serve)]


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


def test_a_slice_that_one_of_two_replicas_lacks_is_read_from_the_server(replica, stored, settings):
    """Both have one alias; the server itself stands for the one that does not lag behind."""
    settings.ROOT_URLCONF, settings.MIDDLEWARE = __name__, []
    settings.PG_LO_STORAGE_X_ACCEL = True
    asked = connections[replica.alias]

    def handed_over(name):
        asked.close()
        asked.settings_dict["HOST"] = str(replica.server.socket)
        address = db_serve(RequestFactory().get("/"), name)["X-Accel-Redirect"]
        asked.close()
        asked.settings_dict["HOST"] = replica.socket
        return address

    march, april = bytes(range(256)) * 8192, bytes(2**21)
    with replica.replay_paused():
        name = stored(march)
        assert Client().get(handed_over(name)).getvalue() == march
    replica.catch_up()
    with replica.replay_paused():
        with transaction.atomic(using=ALIAS), DbFileStorage(alias=ALIAS).open(name, "wb") as file:
            file.write(april)
        assert Client().get(handed_over(name)).getvalue() == april


def test_what_was_overwritten_is_as_it_was_until_the_replica_has_replayed_that(replica, stored):
    name = stored(b"march")
    replica.catch_up()
    march = db_serve(RequestFactory().get("/"), name)
    with replica.replay_paused():
        with transaction.atomic(using=ALIAS), DbFileStorage(alias=ALIAS).open(name, "wb") as file:
            file.write(b"april")
        late = db_serve(RequestFactory().get("/"), name)
    assert (b"".join(late), late["ETag"]) == (b"march", march["ETag"])
    replica.catch_up()
    april = db_serve(RequestFactory().get("/"), name)
    assert b"".join(april) == b"april"
    assert april["ETag"] != march["ETag"]


@pytest.mark.parametrize(
    ("content", "is_kept"),
    [(b"march", False), (bytes(range(256)) * 8192, True)],
    ids=["small", "large-and-kept"],
)
def test_while_the_replica_is_away_the_server_after_it_is_read(replica, stored, content, is_kept):
    """By libpq, to which HOST gives both; a connection that is kept, Django has to check."""
    name = stored(content)
    replica.catch_up()
    connections[replica.alias].settings_dict |= {
        "HOST": f"{replica.socket},{replica.server.socket}",
        "CONN_MAX_AGE": 600 if is_kept else 0,
        "CONN_HEALTH_CHECKS": is_kept,
    }

    def answer():
        # As Django does with each of its settings before a request, and after it.
        connections[replica.alias].close_if_unusable_or_obsolete()
        served = by_wsgi(name)
        return served, connections[replica.alias].connection.info.host

    assert answer() == (content, replica.socket)
    replica.stop()
    try:
        assert answer() == (content, str(replica.server.socket))
        assert by_asgi(name) == content
    finally:
        replica.start()
    connections[replica.alias].close()
    assert answer() == (content, replica.socket)


CATALOGUE = "lo_storage_largeobject"


def test_a_piece_that_the_replica_cancels_is_read_again(replica, stored):
    content = bytes(range(256)) * 1024
    name = stored(content)
    replica.catch_up()
    with replica.cancels_once(who_has=CATALOGUE, and_waits_for="pg_largeobject_metadata"):
        served = db_serve(RequestFactory().get("/"), name)
        assert b"".join(served) == content


@pytest.fixture
def cancels_a_look_up(replica, server):
    with server.connect() as session:
        # Whoever reads the catalogue then locks this one, too, and after the catalogue.
        session.execute(f"create table more () inherits ({CATALOGUE})")
        try:
            yield partial(replica.cancels_once, who_has=CATALOGUE, and_waits_for="more")
        finally:
            session.execute("drop table more")


def test_what_is_looked_up_when_the_replica_cancels_is_looked_up_again(
    replica, stored, cancels_a_look_up
):
    name = stored(b"march")
    with cancels_a_look_up():
        assert db_file_storage.locate(name)[0] == replica.alias


@pytest.fixture
def site(replica, settings, monkeypatch):
    """A function that asks a site in which each request is a transaction, there and here."""
    settings.ROOT_URLCONF, settings.MIDDLEWARE = __name__, []
    settings.DEBUG_PROPAGATE_EXCEPTIONS = True

    def ask(name, atomic_on_the_replica):
        for alias, atomic in [(ALIAS, True), (replica.alias, atomic_on_the_replica)]:
            its_settings = {**connections[alias].settings_dict, "ATOMIC_REQUESTS": atomic}
            monkeypatch.setitem(connections.settings, alias, its_settings)
        return b"".join(Client().get(f"/{name}"))

    return ask


def test_where_a_request_is_a_transaction_on_the_server_alone_it_is_looked_up_again(
    replica, stored, cancels_a_look_up, site
):
    with replica.replay_paused():
        name = stored(b"march")
        assert site(name, atomic_on_the_replica=False) == b"march"
    with cancels_a_look_up():
        assert site(name, atomic_on_the_replica=False) == b"march"


def test_where_a_request_is_a_transaction_on_the_replica_it_fails(stored, cancels_a_look_up, site):
    name = stored(b"march")
    with (
        cancels_a_look_up(comes_again=False),
        pytest.raises(OperationalError, match="conflict with recovery"),
    ):
        site(name, atomic_on_the_replica=True)
    assert site(name, atomic_on_the_replica=True) == b"march"


def lock(session, table):
    session.execute(f"lock table only {table} in access exclusive mode")
    # Writes to the log what has not been written yet.
    session.execute("select pg_switch_wal()")


def waited_for(session):
    """The tables for which statements of others wait."""
    rows = session.execute("select relation::regclass::text from pg_locks where not granted")
    return {table for (table,) in rows}
