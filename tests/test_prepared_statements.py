"""Statements that are prepared, by clients who share a connection of a pgbouncer in turns."""

import re
import subprocess

import pytest
from django.core.files.base import ContentFile
from django.db import ProgrammingError, connections, transaction

from lo_storage.storage import DbFileStorage

from .conftest import ALIAS
from .programs import program
from .test_streaming import pgbouncer

CLIENTS = ("first", "second")


@pytest.fixture(scope="module")
def keeps_them_apart():
    """Whether this pgbouncer knows whose a prepared statement is, and DEALLOCATE ALL."""
    printed = subprocess.check_output([program("pgbouncer"), "--version"], text=True)
    major, minor = re.match(r"PgBouncer (\d+)\.(\d+)", printed).groups()
    return (int(major), int(minor)) >= (1, 22)


@pytest.fixture
def storages(server, keeps_them_apart):
    """The storage of each client."""
    lines = ["max_prepared_statements = 100"] if keeps_them_apart else []
    with pgbouncer(server, *lines) as place:
        for name in CLIENTS:
            connections[name] = connections[ALIAS].copy(name)
            connections[name].settings_dict |= {**place, "DISABLE_SERVER_SIDE_CURSORS": True}
        yield [DbFileStorage(alias=name) for name in CLIENTS]
        for name in CLIENTS:
            connections[name].close()
            del connections[name]


def save(storage):
    return storage.save("march.txt", ContentFile(b"march"))


def work(storage):
    with transaction.atomic(using=storage.alias):
        save(storage)
        transaction.set_rollback(True, using=storage.alias)  # by which psycopg lets go of all
    for _ in range(2):
        name = save(storage)
        with storage.open(name) as file:
            assert file.read() == b"march"
        storage.delete(name)


@pytest.mark.parametrize("threshold", [0, 1])
def test_clients_of_a_pgbouncer_as_the_page_says(storages, settings, keeps_them_apart, threshold):
    settings.PG_LO_STORAGE_PREPARE_THRESHOLD = threshold
    if keeps_them_apart:
        for storage in storages * 3:
            work(storage)
        with connections[CLIENTS[0]].cursor() as cursor:
            cursor.execute("select statement from pg_prepared_statements")
            statements = [statement for (statement,) in cursor]
        assert statements
        assert all("lo_storage_largeobject" in statement for statement in statements)
    else:
        first, second = storages
        names = [save(first), save(first)]
        with pytest.raises(ProgrammingError, match="already exists"):
            names.extend(save(second) for _ in range(2))
        for name in names:
            DbFileStorage(alias=ALIAS).delete(name)


def test_where_nothing_is_prepared_any_pgbouncer_will_do(storages):
    for storage in storages * 3:
        work(storage)
