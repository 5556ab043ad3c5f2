"""Works that write."""

import csv
import io
import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from django.core.files.base import ContentFile
from django.db import transaction

from lo_storage.storage import DbFileIO, DbFileStorage

from . import server
from .compression import by_each
from .contestants import OLD, OURS, Contestant
from .running import TIMES, Clock, Runs, big_file, contestants, delete_all
from .stage import RANDOM, SMALL, MiB, Stage

LINES = 100_000
ONE_WRITE = "csv into memory, one write()"
BUFFERED, BUFFERED_MIB = "io.BufferedWriter", "io.BufferedWriter of 1 MiB"


def create_one(contestant: Contestant, stage: Stage, in_transaction: bool) -> str:
    with contestant.atomic() if in_transaction else contestant.alone():
        return contestant.save(ContentFile(stage.small))


@contextmanager
def create(stage: Stage, in_transaction: bool) -> Iterator[Runs]:
    def run(contestant: Contestant, clock: Clock) -> None:
        with clock:
            names = [create_one(contestant, stage, in_transaction) for _ in range(TIMES)]
        delete_all(contestant, names)

    def ceiling(clock: Clock) -> None:
        with clock:
            server.create(TIMES, SMALL)
        server.delete_created()

    server.prepare(stage.small)
    stage.tidy()
    yield {c.name: partial(run, c) for c in contestants(stage, SMALL)} | {server.NAME: ceiling}


def cycle_one(contestant: Contestant, stage: Stage, in_transaction: bool) -> None:
    """Create, read, delete: in one transaction, or each by itself."""
    with contestant.atomic() if in_transaction else contestant.nothing():
        around = contestant.nothing if in_transaction else contestant.alone
        with around():
            name = contestant.save(ContentFile(stage.small))
        with around(), contestant.open(name) as file:
            content = file.read()
        with around():
            contestant.delete(name)
    assert len(content) == SMALL


@contextmanager
def cycle(stage: Stage, in_transaction: bool) -> Iterator[Runs]:
    def run(contestant: Contestant, clock: Clock) -> None:
        with clock:
            for _ in range(TIMES):
                cycle_one(contestant, stage, in_transaction)

    def ceiling(clock: Clock) -> None:
        with clock:
            server.cycle(TIMES, SMALL, in_transaction)

    server.prepare(stage.small)
    stage.tidy()
    yield {c.name: partial(run, c) for c in contestants(stage, SMALL)} | {server.NAME: ceiling}


@contextmanager
def big(stage: Stage, size: int, kind: str) -> Iterator[Runs]:
    """Write a file from the disk; before each run the database is vacuumed and has a checkpoint."""

    def run(contestant: Contestant, clock: Clock) -> None:
        stage.tidy()
        with big_file(stage, size, kind) as content, clock, contestant.alone():
            name = contestant.save(content)
        delete_all(contestant, [name])

    def ceiling(clock: Clock) -> None:
        stage.tidy()
        with clock:
            server.write(size)
        server.delete_created()

    with big_file(stage, size, kind) as content:
        server.prepare(stage.small, content.read(MiB))
    runs: Runs = {}
    for contestant in contestants(stage, size):
        by_one = partial(run, contestant)
        if contestant.name in (OURS, OLD):
            runs |= by_each(stage, contestant.name, by_one)
        elif kind == RANDOM:
            runs[contestant.name] = by_one
    yield runs | by_each(stage, server.NAME, ceiling)


@contextmanager
def lines(stage: Stage) -> Iterator[Runs]:
    """Write many lines into one large object, by Python's own csv and buffers."""
    chance = random.Random(0)
    rows = [[n, chance.random(), chance.randbytes(16).hex()] for n in range(LINES)]

    def write_rows(binary: io.BufferedIOBase) -> None:
        text = io.TextIOWrapper(binary, newline="")
        csv.writer(text).writerows(rows)
        text.detach()

    def buffered(buffer_size: int, clock: Clock) -> None:
        stage.tidy()
        with clock, transaction.atomic():
            raw = DbFileIO(0, "wb", "lines.csv")
            with io.BufferedWriter(raw, buffer_size) as file:
                write_rows(file)
        DbFileStorage().delete(raw.stored_name)

    def at_once(clock: Clock) -> None:
        stage.tidy()
        with clock, transaction.atomic():
            memory = io.BytesIO()
            write_rows(memory)
            with DbFileIO(0, "wb", "lines.csv") as file:
                file.write(memory.getbuffer())
        DbFileStorage().delete(file.stored_name)

    yield {
        ONE_WRITE: at_once,
        BUFFERED: partial(buffered, io.DEFAULT_BUFFER_SIZE),
        BUFFERED_MIB: partial(buffered, MiB),
    }
