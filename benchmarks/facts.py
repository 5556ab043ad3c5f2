"""What is counted and not timed: round trips, memory, WAL, tuples."""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import connection, transaction
from psycopg.pq import Trace

from . import reading, writing
from .contestants import BINARY_FIELD, DBFILES, OLD, OURS, Contestant, make
from .running import delete_all, save_big, save_small
from .stage import ROOT, SMALL, MiB, Stage

type Facts = dict[str, dict[str, float]]  # fact, contestant: value

TRIPS = "round trips"
MEMORY = "MiB of memory"
FIRST_BYTE = "ms to the first byte"
UPDATES = "tuples updated"
WAL = "bytes of WAL a byte"


def none(stage: Stage) -> Facts:
    return {}


def _trips(stage: Stage, action: Callable[[Contestant], object]) -> Facts:
    names = [OURS, OLD, BINARY_FIELD, DBFILES]
    everybody = [make(name, stage.folder) for name in names]
    return {TRIPS: {c.name: _round_trips(partial(action, c)) for c in everybody}}


def small_read(stage: Stage) -> Facts:
    names = {}  # saved before the round trips are counted

    def action(contestant: Contestant) -> None:
        reading.whole(contestant, names[contestant.name], SMALL)

    for name in [OURS, OLD, BINARY_FIELD, DBFILES]:
        names[name] = save_small(make(name, stage.folder), stage)
    return _trips(stage, action)


def create(stage: Stage, in_transaction: bool) -> Facts:
    return _trips(stage, lambda c: writing.create_one(c, stage, in_transaction))


def cycle(stage: Stage, in_transaction: bool) -> Facts:
    return _trips(stage, lambda c: writing.cycle_one(c, stage, in_transaction))


def big_read(stage: Stage, size: int) -> Facts:
    found: Facts = {MEMORY: {}}
    for contestant in [make(name, stage.folder) for name in (OURS, OLD)]:
        stored = save_big(contestant, stage, size)
        found[MEMORY][contestant.name] = _memory(contestant.name, "read", stored)
        delete_all(contestant, [stored])
    return found


def big_write(stage: Stage, size: int) -> Facts:
    found: Facts = {MEMORY: {}, UPDATES: {}, WAL: {}}
    for contestant in [make(name, stage.folder) for name in (OURS, OLD)]:
        name = contestant.name
        found[MEMORY][name] = _memory(name, "write", stage.file(size))
        stage.tidy()
        save = partial(save_big, contestant, stage, size)
        stored, found[UPDATES][name], found[WAL][name] = _written(save, size)
        delete_all(contestant, [stored])
    return found


def _round_trips(action: Callable[[], object]) -> int:
    """Count how often the server says that it waits for the next statement (libpq's PQtrace)."""
    connection.ensure_connection()
    driver: Any = connection.connection
    with tempfile.TemporaryFile() as file:
        driver.pgconn.trace(file.fileno())
        driver.pgconn.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS)
        action()
        driver.pgconn.untrace()
        file.seek(0)
        return sum(b"ReadyForQuery" in line for line in file)


def _memory(contestant: str, operation: str, name: Any) -> float:
    """Return by how many MiB an operation raises the most memory that a fresh process has used."""
    command = [sys.executable, "-m", "benchmarks.memory", contestant, operation, str(name)]
    result = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return int(result.stdout) / MiB


def _written(save: Callable[[], Any], size: int) -> tuple[Any, int, float]:
    """Return what was saved, the tuples of pg_largeobject updated, and the WAL a byte."""
    with Stage.superuser("default") as server:
        before = _one(server, "select pg_current_wal_insert_lsn()")
        with transaction.atomic():
            stored = save()
            updated = _one(
                connection.cursor(),
                "select n_tup_upd from pg_stat_xact_sys_tables where relname = 'pg_largeobject'",
            )
        written = _one(server, "select pg_current_wal_insert_lsn() - %s::pg_lsn", before)
    return stored, updated, float(written) / size


def _one(cursor: Any, sql: str, *parameters: object) -> Any:
    return cursor.execute(sql, parameters).fetchone()[0]
