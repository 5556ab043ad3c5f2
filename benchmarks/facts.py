"""What is counted and not timed: memory, WAL, tuples, disk."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

from django.db import connection, transaction

from .compression import PGLZ, label, methods
from .contestants import OLD, OURS, make
from .running import delete_all, save_big
from .stage import RANDOM, ROOT, MiB, Stage

type Facts = dict[str, dict[str, float]]  # fact, contestant: value

TRIPS = "round trips"
MEMORY = "MiB of memory"
FIRST_BYTE = "ms to the first byte"
UPDATES = "tuples updated"
WAL = "bytes of WAL a byte"
DISK = "bytes of disk a byte"


def none(stage: Stage) -> Facts:
    return {}


def big_read(stage: Stage, size: int) -> Facts:
    found: Facts = {MEMORY: {}}
    for contestant in [make(name, stage.folder) for name in (OURS, OLD)]:
        stored = save_big(contestant, stage, size)
        found[MEMORY][contestant.name] = _memory(contestant.name, "read", stored)
        delete_all(contestant, [stored])
    return found


def big_write(stage: Stage, size: int, kind: str) -> Facts:
    """Of the server as it comes, and of ours with lz4; memory where nothing compresses."""
    found: Facts = {MEMORY: {}, UPDATES: {}, WAL: {}, DISK: {}}
    for name, method in [*product([OURS], methods(stage)), (OLD, PGLZ)]:
        contestant = make(name, stage.folder)
        who = label(name, method)
        if method == PGLZ and kind == RANDOM:
            found[MEMORY][who] = _memory(name, "write", stage.file(size))
        stage.compact()
        before = stage.size()
        save = partial(save_big, contestant, stage, size, kind)
        with stage.compressing(method):
            stored, found[UPDATES][who], found[WAL][who] = _written(save, size)
        found[DISK][who] = (stage.size() - before) / size
        delete_all(contestant, [stored])
    return found


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
