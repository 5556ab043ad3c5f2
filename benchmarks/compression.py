"""The same contestants where the server compresses by lz4, which it does not as it comes."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import product

from . import reading, server
from .contestants import ALONE, OURS, make
from .running import Clock, Run, Runs, big_file, delete_all, loid_of, save_big
from .stage import CSV, RANDOM, MiB, Stage

PGLZ, LZ4 = "pglz", "lz4"


def label(name: str, method: str = LZ4) -> str:
    """Return who is named in a table: pglz is the server as it comes."""
    return f"{name}, lz4" if method == LZ4 else name


def methods(stage: Stage) -> list[str]:
    return [PGLZ, LZ4] if stage.has_lz4 else [PGLZ]


def by_each(stage: Stage, name: str, run: Run) -> Runs:
    """Return the run by each of the server's methods; it writes by Django's connection."""

    def run_by(method: str, clock: Clock) -> None:
        with stage.compressing(method):
            run(clock)

    return {label(name, method): partial(run_by, method) for method in methods(stage)}


@contextmanager
def ceilings(stage: Stage, size: int) -> Iterator[Runs]:
    """Write and read inside the server, which is the most that it can do."""
    ours = make(OURS, stage.folder)
    runs: Runs = {}
    stored = []

    def write(kind: str, clock: Clock) -> None:
        with big_file(stage, size, kind) as content:
            server.prepare(content.read(MiB))
        stage.tidy()
        with clock:
            server.write(size)
        server.delete_created()

    def read(loid: int, clock: Clock) -> None:
        with clock:
            assert server.read_pieces(loid, size) == size

    for kind in (RANDOM, CSV):
        runs |= by_each(stage, f"write, {kind}", partial(write, kind))
    for kind, method in product((RANDOM, CSV), methods(stage)):
        with stage.compressing(method):
            stored.append(save_big(ours, stage, size, kind))
        runs[label(f"read, {kind}", method)] = partial(read, loid_of(stored[-1]))
    yield runs
    delete_all(ours, stored)


@contextmanager
def read(stage: Stage, size: int) -> Iterator[Runs]:
    """Read a file of CSV that was written by each method."""
    runs: Runs = {}
    written = []

    def whole(name: str, stored: object, clock: Clock) -> None:
        with clock:
            reading.by_chunks(make(name, stage.folder), stored, size)

    def ceiling(loid: int, clock: Clock) -> None:
        with clock:
            assert server.read_pieces(loid, size) == size

    for method in methods(stage):
        with stage.compressing(method):
            stored = save_big(make(OURS, stage.folder), stage, size, CSV)
        written.append(stored)
        loid = loid_of(stored)
        runs[label(OURS, method)] = partial(whole, OURS, stored)
        runs[label(ALONE, method)] = partial(whole, ALONE, loid)
        runs[label(server.IN_PIECES, method)] = partial(ceiling, loid)
    stage.tidy()
    yield runs
    delete_all(make(OURS, stage.folder), written)
