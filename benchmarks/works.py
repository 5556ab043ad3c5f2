"""All works, and what each is to reach."""

import random
from collections.abc import Callable
from functools import partial

from . import compression, crowds, facts, latency, reading, rows, server, web, writing
from .compression import label
from .contestants import ALONE, OLD, OURS
from .facts import MEMORY, TRIPS, UPDATES, WAL
from .running import TIMES
from .stage import CSV, RANDOM, MiB
from .targets import Target, at_most, times, within
from .work import Work, of_bytes, size_of


def works(large: int, big: int, papers: int, others: tuple[int, ...]) -> list[Work]:
    """Return the works.

    Arguments:

    - `large`, `big`: the sizes of files, in bytes.
    - `papers`: the rows of a table that names files.
    - `others`: among how many other objects works take place.
    """
    reads, writes = _reading(large), _writing(32 * MiB)
    return [
        *reads,
        *_reading_big(big),
        *_small(),
        *_latency(),
        *(latency.over_latency(work) for work in (reads[1], writes[0])),
        *writes,
        *_writing(big, heavy=True),
        of_bytes(
            "ceiling",
            "{} inside the server",
            large,
            partial(compression.ceilings, size=large),
        ),
        Work(
            "lines",
            f"write {writing.LINES:,} lines by csv",
            writing.LINES,
            "lines/s",
            writing.lines,
            (within(1.5, writing.BUFFERED_MIB, writing.ONE_WRITE),),
        ),
        *web.works(big),
        Work(
            "bulk",
            f"store {rows.FILES:,} files of 10 KB",
            rows.FILES,
            "files/s",
            rows.bulk,
            (times(rows.ONE_BY_ONE, 2.5, rows.BULK),),
        ),
        Work(
            "update",
            f"update another column of {papers:,} rows",
            papers,
            "rows/s",
            partial(rows.update, rows=papers),
            (within(1.5, rows.WITH, rows.INDEXED), within(1.5, rows.WITH, rows.PLAIN)),
        ),
        _crowd("crowd-cycle", "create, read, delete 10 KB", crowds.cycle, others),
        _crowd("crowd-read", "read 10 KB just saved", crowds.read_own, others),
        _crowd("crowd-any", "read any of the others", crowds.read_any, others),
        _crowd("crowd-delete", "delete 10 KB", crowds.delete, others),
    ]


def _reading(size: int) -> list[Work]:
    targets = (times(OLD, 5), times(ALONE, 0.7))
    ceilings = {server.NAME: server.read, server.IN_PIECES: partial(server.read_pieces, size=size)}
    whole = partial(reading.whole, size=size)
    chunks = partial(reading.by_chunks, size=size)
    return [
        of_bytes(
            "read-whole",
            "read {}, read()",
            size,
            partial(reading.big, size=size, read=whole, ceilings=ceilings, warm=True),
            *targets,
            heavy=True,  # that of 0.2.2 takes 17 s
        ),
        of_bytes(
            "read-chunks",
            "read {}, chunks()",
            size,
            partial(reading.big, size=size, read=chunks, ceilings=ceilings, warm=True),
            *targets,
            at_most(2, MEMORY),
            facts=partial(facts.big_read, size=size),
        ),
    ]


def _reading_big(size: int) -> list[Work]:
    chunks = partial(reading.by_chunks, size=size)
    starts = [random.Random(n).randrange(size - MiB) for n in range(20)]
    ranges = partial(reading.ranges, starts=starts)
    pieces = {server.IN_PIECES: partial(server.read_pieces, size=size)}
    same_ranges = {server.NAME: partial(server.read_ranges, starts=starts, length=MiB)}
    return [
        of_bytes(
            "read-big",
            "read {}, chunks()",
            size,
            partial(reading.big, size=size, read=chunks, ceilings=pieces, warm=False),
            times(ALONE, 0.7),
            at_most(2, MEMORY),
            heavy=True,
            facts=partial(facts.big_read, size=size),
        ),
        of_bytes(
            "read-csv",
            "read {} of CSV, chunks()",
            size,
            partial(compression.read, size=size),
            times(OURS, 1.5, label(OURS)),
            times(label(ALONE), 0.7, label(OURS)),
            heavy=True,
        ),
        Work(
            "read-range",
            f"read 1 MiB from anywhere in {size_of(size)}",
            len(starts),
            "MiB/s",
            partial(reading.big, size=size, read=ranges, ceilings=same_ranges, warm=False),
            (times(ALONE, 0.5),),
            operations=len(starts),
        ),
    ]


def _small_work(key: str, title: str, runs: Callable, *targets: Target) -> Work:
    return Work(key, title, TIMES, "per s", runs, targets, operations=TIMES)


def _small() -> list[Work]:
    def both(key: str, title: str, runs: Callable, *targets: tuple) -> list[Work]:
        """In autocommit and in atomic()."""
        return [
            _small_work(
                key + ("-atomic" if atomic else ""),
                title + (" in atomic()" if atomic else ""),
                partial(runs, in_transaction=atomic),
                *targets[atomic],
            )
            for atomic in (False, True)
        ]

    return [
        _small_work("small-read", "read 10 KB", reading.small, at_most(1, TRIPS)),
        *both(
            "small-create",
            "create 10 KB",
            writing.create,
            (times(ALONE, 0.6), at_most(1, TRIPS)),
            (times(ALONE, 0.6), at_most(3, TRIPS)),
        ),
        *both(
            "small-cycle",
            "create, read, delete 10 KB",
            writing.cycle,
            (times(ALONE, 0.6), at_most(3, TRIPS)),
            (times(ALONE, 0.6), at_most(5, TRIPS)),
        ),
    ]


def _latency() -> list[Work]:
    cycle = partial(writing.cycle, in_transaction=False)
    create = partial(writing.create, in_transaction=False)
    ways = latency.Ways()
    return [
        latency.over_latency(_small_work("small-read", "read 10 KB", reading.small), times(OLD, 4)),
        latency.over_latency(_small_work("small-create", "create 10 KB", create), times(OLD, 4)),
        latency.over_latency(
            _small_work("small-cycle", "create, read, delete 10 KB", cycle), times(OLD, 4)
        ),
        Work(
            "relay",
            "read 10 KB by a relay",
            TIMES,
            "per s",
            ways.runs,
            facts=ways.facts,
            operations=TIMES,
        ),
    ]


def _writing(size: int, heavy: bool = False) -> list[Work]:
    key = "write-big" if heavy else "write"
    ceiling = times(label(server.NAME), 0.7, label(OURS))
    little = (at_most(0, UPDATES), at_most(1.08, WAL), at_most(8, MEMORY))

    def work(key: str, title: str, kind: str, *targets: Target) -> Work:
        write = partial(writing.big, size=size, kind=kind)
        is_known = heavy and kind == CSV  # what 32 MiB of it take of the disk
        count = facts.none if is_known else partial(facts.big_write, size=size, kind=kind)
        return of_bytes(key, title, size, write, *targets, heavy=heavy, facts=count)

    return [
        work(key, "write {}", RANDOM, times(OLD, 3, label(OURS)), ceiling, *little),
        work(f"{key}-csv", "write {} of CSV", CSV, times(OLD, 5, label(OURS)), ceiling),
    ]


def _crowd(key: str, title: str, run: crowds.CrowdRun, others: tuple[int, ...]) -> Work:
    few, *more = map(crowds.label, others)
    return Work(
        key,
        f"{title}, among others",
        TIMES,
        "per s",
        partial(crowds.crowded, crowds=others, run=run),
        tuple(within(1.15, many, few) for many in more),
        operations=TIMES,
    )
