"""A PostgreSQL that tests may stop, kill and fill."""

import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.db import connections, transaction

from config import embedded_postgres
from lo_storage.tests.models import Document
from lo_storage.upkeep import columns

# What programs print is read here, and compared.
for asks_for_colours in ("FORCE_COLOR", "CLICOLOR_FORCE", "PY_COLORS"):
    os.environ.pop(asks_for_colours, None)

ALIAS = "thrown_away"
# What a process has written survives it without fsync, too: no test here cuts the power.
OPTIONS = "-c fsync=off -c min_wal_size=32MB -c max_prepared_transactions=2 -c wal_level=logical"


HERE = Path(__file__).parent


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    # First, because the longest modules are here: while one runs, other processes do the rest.
    items.sort(key=lambda item: HERE not in item.path.parents)


class Server:
    """A PostgreSQL of these tests' own, to which Django connects by the alias `ALIAS`."""

    def __init__(self, directory, socket):
        self.server = embedded_postgres.Server(directory, embedded_postgres.find_programs())
        self.server.initialise()
        self.data, self.log, self.socket = self.server.data, directory / "log", socket
        self.log.touch()
        self.own(self.log)
        self.own(self.socket)

    def own(self, path):
        os.chown(path, self.server.uid, self.server.gid)

    def start(self, options=""):
        options = f"-k {self.socket} {OPTIONS} {options}"
        self._pg_ctl("start", f"--options={options}", f"--log={self.log}")

    def stop(self, mode):
        self._pg_ctl("stop", f"--mode={mode}")

    def _pg_ctl(self, *arguments):
        self.server.run("pg_ctl", *arguments, f"--pgdata={self.data}")

    def use(self, database, user="app"):
        """Let the alias go to a database."""
        self.database = database
        connections[ALIAS].close()
        connections[ALIAS].settings_dict |= {"NAME": database, "USER": user}

    def make_tables(self):
        call_command("migrate", "lo_storage", database=ALIAS, verbosity=0)
        with connections[ALIAS].schema_editor() as editor:
            editor.create_model(Document)

    def connect(self, user="app"):
        return psycopg.connect(host=self.socket, dbname=self.database, user=user, autocommit=True)

    def wait_until_it_answers(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with suppress(psycopg.OperationalError), self.connect():
                return
        pytest.fail(self.log.read_text()[-2000:])

    def stored(self):
        """Return the content of each file, by the title of its row, once nothing else is there."""
        with self.connect("postgres") as session:  # who may read pg_largeobject
            rows = session.execute(
                "select title, loid, lo_get(loid) from lo_storage_tests_document"
                "  left join lo_storage_largeobject on name = data"
            ).fetchall()
            for expected, numbers in (
                ({(loid,) for _, loid, _ in rows}, "select loid from lo_storage_largeobject"),
                ({(loid,) for _, loid, _ in rows}, "select oid from pg_largeobject_metadata"),
                ({(loid,) for _, loid, data in rows if data}, "select loid from pg_largeobject"),
            ):
                assert set(session.execute(numbers)) == expected
        return {title: content for title, _, content in rows}


@pytest.fixture(scope="session")
def running(tmp_path_factory, django_db_blocker):
    with (
        tempfile.TemporaryDirectory(prefix="postgres-", dir="/tmp") as socket,  # a short path
        django_db_blocker.unblock(),
    ):
        server = Server(tmp_path_factory.mktemp("server"), socket)
        server.start()
        connections[ALIAS] = connections["default"].copy(ALIAS)
        connections[ALIAS].settings_dict |= {"HOST": socket, "PORT": "5432", "USER": "app"}
        server.use("app")
        server.make_tables()
        yield server
        connections[ALIAS].close()
        del connections[ALIAS]
        server.stop("immediate")


@pytest.fixture
def server(running, django_db_blocker, settings):
    settings.PG_LO_STORAGE_DB_FOR_READ = settings.PG_LO_STORAGE_DB_FOR_WRITE = ALIAS
    with django_db_blocker.unblock():
        yield running
        connections[ALIAS].close()
        Document.objects.using(ALIAS).delete()
        connections[ALIAS].close()
        assert running.stored() == {}


@pytest.fixture
def stored(server):
    """A function that stores bytes, and the row that names them."""

    def store(content, size=None):
        document = Document(data=ContentFile(content, "a.bin"))
        with transaction.atomic(using=ALIAS):
            document.save(using=ALIAS)
            if size:
                with document.data.open("r+b") as file:
                    file.truncate(size)
        connections[ALIAS].close()
        return document.data.name

    return store


class Router:
    def db_for_write(self, model, **hints):
        return ALIAS


@pytest.fixture
def site(server, monkeypatch, settings):
    """A site with three files, and the server that it runs on."""
    monkeypatch.setattr(columns, "apps", SimpleNamespace(get_models=lambda: [Document]))
    settings.DATABASE_ROUTERS = [Router()]
    for title, content in [("march", b"m" * 10_000), ("april", b"april"), ("empty", b"")]:
        Document.objects.using(ALIAS).create(title=title, data=ContentFile(content, f"{title}.txt"))
    yield server
    with server.connect("postgres") as session:
        for table in ("lo_storage_tests_document", "lo_storage_largeobject"):
            session.execute(f"alter table {table} enable trigger all")
        session.execute("delete from lo_storage_tests_document")
        session.execute("select lo_unlink(oid) from pg_largeobject_metadata")
        session.execute("delete from lo_storage_largeobject")
