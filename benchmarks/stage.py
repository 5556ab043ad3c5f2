"""Where the benchmark takes place: databases of its own on the project's server, and its data."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django
import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from config.embedded_postgres import database

ROOT = Path(__file__).resolve().parent.parent
KiB, MiB, GiB = 1024, 1024**2, 1024**3

SMALL = 10_000
CROWDS = (1_000, 100_000, 1_000_000)

FILL = """
    insert into lo_storage_largeobject
           (loid, name, original_name, size, version, created_at, modified_at)
    select loid, loid::text || '.bin', '', 64, 1, now(), now()
      from (select lo_from_bytea(0, sha512(random()::text::bytea)) as loid
              from generate_series(1, %s)) as objects
"""


def configure(**more: object) -> None:
    """Set up Django, with `more` settings; the databases may not exist yet."""
    names = {"default": "bench"} | {crowd_alias(n): f"bench_{n}" for n in CROWDS}
    server = database(ROOT)
    settings.configure(
        DATABASES={
            alias: {**server, "NAME": name, "CONN_MAX_AGE": None} for alias, name in names.items()
        },
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
        self._aliases: list[str] = []

    @classmethod
    @contextmanager
    def set(cls) -> Iterator["Stage"]:
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
            server.execute(f"create database {name_of(alias)} owner app")
        with self.superuser(alias) as server:
            # As the README of 0.2.2 does not say: its exists() reads what is the superuser's.
            server.execute("grant select on pg_largeobject to app")
        self._aliases.append(alias)
        call_command("migrate", database=alias, run_syncdb=True, verbosity=0)

    def drop_database(self, alias: str) -> None:
        connections[alias].close()
        with self.superuser() as server:
            server.execute(f"drop database if exists {name_of(alias)} with (force)")

    def crowd(self, objects: int) -> str:
        """Return the alias of a database with so many other objects in it."""
        alias = crowd_alias(objects)
        if alias not in self._aliases:
            self.create_database(alias)
            with connections[alias].cursor() as cursor:
                cursor.execute(FILL, [objects])
            self.tidy(alias)
        return alias

    def file(self, size: int) -> Path:
        """Return a file of random bytes, which nothing can compress."""
        path = self.folder / str(size)
        if not path.exists():
            with path.open("wb") as file:
                for start in range(0, size, MiB):
                    file.write(os.urandom(min(MiB, size - start)))
                os.fsync(file.fileno())
        return path

    @staticmethod
    def superuser(alias: str | None = None) -> psycopg.Connection:
        parameters = settings.DATABASES["default"]
        return psycopg.connect(
            host=parameters["HOST"],
            port=parameters["PORT"],
            user="postgres",
            dbname=name_of(alias) if alias else "postgres",
            autocommit=True,
        )

    def tidy(self, alias: str = "default") -> None:
        """Vacuum and write a checkpoint, so that nobody pays for what another left behind."""
        with self.superuser(alias) as server:
            server.execute("vacuum analyze")
            server.execute("checkpoint")


def name_of(alias: str) -> str:
    return settings.DATABASES[alias]["NAME"]
