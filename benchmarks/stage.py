"""Where the benchmark takes place: databases of its own on the project's server, and its data."""

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import ascii_lowercase

import django
import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from psycopg import sql

from . import processor
from .relay import Relay, relay

ROOT = Path(__file__).resolve().parent.parent
KiB, MiB, GiB = 1024, 1024**2, 1024**3

RANDOM, CSV = "random", "csv"  # what a file is filled with
SMALL = 10_000
CROWDS = (1_000, 1_000_000)
ROWS = "rows"  # the alias of a database with a table that names files

ROLE = sql.SQL("""
    do $$ begin create role app login; exception when duplicate_object then null; end $$;
    alter role app password {password}
""")
FILL = """
    insert into lo_storage_largeobject
           (loid, name, original_name, size, version, created_at, modified_at)
    select loid, loid::text || '.bin', '', 64, 1, now(), now()
      from (select lo_from_bytea(0, sha512(random()::text::bytea)) as loid
              from generate_series(1, %s)) as objects
"""


def configure(crowds: tuple[int, ...] = (), **more: object) -> None:
    """Set up Django, with `more` settings; the databases may not exist yet.

    The server is that of PGHOST and PGPORT, which psycopg2 and other processes heed, too.
    """
    names = {"default": "bench", ROWS: "bench_rows"}
    names |= {crowd_alias(n): f"bench_{n}" for n in crowds}
    common = {"ENGINE": "django.db.backends.postgresql", "USER": "app", "CONN_MAX_AGE": None}
    settings.configure(
        DATABASES={alias: {**common, "NAME": name} for alias, name in names.items()},
        DATABASE_ROUTERS=[],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=["lo_storage", "dbfiles", "benchmarks"],
        MEDIA_URL="/media/",
        USE_TZ=True,
        **more,
    )
    django.setup()


def crowd_alias(objects: int) -> str:
    return f"objects_{objects}"


class Stage:
    """What all works share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.small = os.urandom(SMALL)
        self.relay: Relay | None = None
        self._aliases: list[str] = []
        with self.superuser() as server:
            pid = server.info.backend_pid
            self.postmaster = processor.parent_of_backend(pid)
            (methods,) = server.execute(
                "select enumvals from pg_settings where name = 'default_toast_compression'"
            ).fetchone()
            self.has_lz4 = "lz4" in methods

    @classmethod
    @contextmanager
    def set(cls) -> Iterator["Stage"]:
        (ROOT / ".postgres").mkdir(exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="bench-", dir=ROOT / ".postgres"))
        stage = cls(folder)
        try:
            stage.create_database("default")
            yield stage
        finally:
            for alias in stage._aliases:
                stage.drop_database(alias)
            shutil.rmtree(folder)

    def create_database(self, alias: str) -> None:
        self.drop_database(alias)
        with self.superuser() as server:
            server.execute(ROLE.format(password=sql.Literal(os.environ.get("PGPASSWORD"))))
            server.execute(f"create database {name_of(alias)} owner app")
        with self.superuser(alias) as server:
            # As the README of 0.2.2 does not say: its exists() reads what is the superuser's.
            server.execute("grant select on pg_largeobject to app")
        self._aliases.append(alias)
        # The catalogue comes first: a table made by run_syncdb names it.
        call_command("migrate", "lo_storage", database=alias, verbosity=0)
        call_command("migrate", database=alias, run_syncdb=True, verbosity=0)

    def drop_database(self, alias: str) -> None:
        connections[alias].close()
        with self.superuser() as server:
            server.execute(f"drop database if exists {name_of(alias)} with (force)")

    def crowd(self, objects: int, alias: str = "") -> str:
        """Return the alias of a database with so many other objects in it."""
        alias = alias or crowd_alias(objects)
        if alias not in self._aliases:
            self.create_database(alias)
            with connections[alias].cursor() as cursor:
                cursor.execute(FILL, [objects])
            self.tidy(alias)
        return alias

    def file(self, size: int, kind: str = RANDOM) -> Path:
        """Return a file of random bytes, which nothing can compress, or of lines of CSV."""
        path = self.folder / f"{size}.{kind}"
        if not path.exists():
            lines = _csv(MiB) if kind == CSV else b""
            with path.open("wb") as file:
                for start in range(0, size, MiB):
                    length = min(MiB, size - start)
                    file.write(lines[:length] or os.urandom(length))
                os.fsync(file.fileno())
        return path

    @contextmanager
    def through(self, delay: float = 0) -> Iterator[Relay]:
        """Let all connections be made anew by way of a relay, and once more at the end without.

        Each direction takes `delay` seconds more.
        """
        before = os.environ["PGHOST"], os.environ["PGPORT"]
        with relay(before[0], int(before[1]), delay) as self.relay:
            try:
                self._connect("127.0.0.1", str(self.relay.port))
                yield self.relay
            finally:
                self.relay = None
                self._connect(*before)

    def _connect(self, host: str, port: str) -> None:
        os.environ |= {"PGHOST": host, "PGPORT": port}
        for alias in self._aliases:
            connections[alias].close()
            connections[alias].connect()

    @contextmanager
    def compressing(self, method: str) -> Iterator[None]:
        """Let what Django's connection writes be compressed by a method of the server's."""
        with connections["default"].cursor() as cursor:
            cursor.execute(f"set default_toast_compression = {method}")
            yield
            cursor.execute("reset default_toast_compression")

    @staticmethod
    def superuser(alias: str | None = None) -> psycopg.Connection:
        name = name_of(alias) if alias else "postgres"
        return psycopg.connect(user="postgres", dbname=name, autocommit=True)

    def compact(self) -> None:
        """Let the large objects take no more of the disk than they need, and `tidy`."""
        with self.superuser("default") as server:
            server.execute("vacuum full pg_largeobject")
        self.tidy()

    def size(self) -> int:
        """Return the bytes that the large objects take of the disk, with their index."""
        with self.superuser("default") as server:
            (size,) = server.execute("select pg_total_relation_size('pg_largeobject')").fetchone()
            return size

    def tidy(self, alias: str = "default") -> None:
        """Vacuum and write a checkpoint, so that nobody pays for what another left behind."""
        with self.superuser(alias) as server:
            server.execute("vacuum analyze")
            server.execute("checkpoint")


def _csv(length: int) -> bytes:
    """Return lines as an export has them: a number, a day, a name, an amount, a remark."""
    chance = random.Random(0)
    names = [f"{''.join(chance.choices(ascii_lowercase, k=7)).title()} Ltd" for _ in range(1000)]
    lines, written = [], 0
    while written < length:
        day = f"2026-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
        amount = f"{chance.uniform(1, 9999):.2f}"
        remark = chance.choice(["paid", "open", "reminded", "cancelled, see remark"])
        line = f'{chance.randrange(10**6)},{day},"{chance.choice(names)}",{amount},"{remark}"\r\n'
        lines.append(line)
        written += len(line)
    return "".join(lines).encode()[:length]


def name_of(alias: str) -> str:
    return settings.DATABASES[alias]["NAME"]
