"""All works, and what each is to reach."""

import random
from collections.abc import Callable
from functools import partial

from . import compression, crowds, facts, latency, reading, rows, server, serving, writing
from .compression import label
from .contestants import ALONE, OLD, OURS
from .facts import FIRST_BYTE, MEMORY, TRIPS, UPDATES, WAL
from .running import TIMES
from .stage import CSV, RANDOM, SMALL, MiB
from .targets import Target, at_most, times, within
from .work import Work


def works(large: int, big: int, papers: int, others: tuple[int, ...]) -> list[Work]:
    """Return the works.

    Arguments:

    - `large`, `big`: the sizes of files, in bytes.
    - `papers`: the rows of a table that names files.
    - `others`: among how many other objects works take place.
    """
    return [
        *_reading(large),
        *_reading_big(big),
        *_small(),
        *_latency(),
        *_writing(32 * MiB),
        *_writing(big, heavy=True),
        Work(
            "ceiling",
            f"{_size(large)} inside the server",
            large / MiB,
            "MiB/s",
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
        *_serving(big),
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
            (within(1.5, rows.WITH, rows.WITHOUT),),
        ),
        _crowd("crowd-cycle", "create, read, delete 10 KB", crowds.cycle, others),
        _crowd("crowd-read", "read 10 KB just saved", crowds.read_own, others),
        _crowd("crowd-any", "read any of the others", crowds.read_any, others),
        _crowd("crowd-delete", "delete 10 KB", crowds.delete, others),
    ]


def _size(size: int) -> str:
    return f"{size // MiB:,} MiB" if size % (1024 * MiB) else f"{size // MiB // 1024} GiB"


def _reading(size: int) -> list[Work]:
    targets = (times(OLD, 5), times(ALONE, 0.8))
    ceilings = {server.NAME: server.read, server.IN_PIECES: partial(server.read_pieces, size=size)}
    whole = partial(reading.whole, size=size)
    chunks = partial(reading.by_chunks, size=size)
    return [
        Work(
            "read-whole",
            f"read {_size(size)}, read()",
            size / MiB,
            "MiB/s",
            partial(reading.big, size=size, read=whole, ceilings=ceilings, warm=True),
            targets,
            heavy=True,  # that of 0.2.2 takes 17 s
        ),
        Work(
            "read-chunks",
            f"read {_size(size)}, chunks()",
            size / MiB,
            "MiB/s",
            partial(reading.big, size=size, read=chunks, ceilings=ceilings, warm=True),
            (*targets, at_most(2, MEMORY)),
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
        Work(
            "read-big",
            f"read {_size(size)}, chunks()",
            size / MiB,
            "MiB/s",
            partial(reading.big, size=size, read=chunks, ceilings=pieces, warm=False),
            (times(ALONE, 0.8), at_most(2, MEMORY)),
            heavy=True,
            facts=partial(facts.big_read, size=size),
        ),
        Work(
            "read-csv",
            f"read {_size(size)} of CSV, chunks()",
            size / MiB,
            "MiB/s",
            partial(compression.read, size=size),
            (times(OURS, 1.5, label(OURS)), times(label(ALONE), 0.8, label(OURS))),
            heavy=True,
        ),
        Work(
            "read-range",
            f"read 1 MiB from anywhere in {_size(size)}",
            len(starts),
            "MiB/s",
            partial(reading.big, size=size, read=ranges, ceilings=same_ranges, warm=False),
            (times(ALONE, 0.8),),
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
        _small_work(
            "small-read", "read 10 KB", reading.small, times(ALONE, 0.5), at_most(1, TRIPS)
        ),
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
    return [
        latency.over_latency(_small_work("small-read", "read 10 KB", reading.small), times(OLD, 4)),
        latency.over_latency(_small_work("small-create", "create 10 KB", create), times(OLD, 4)),
        latency.over_latency(
            _small_work("small-cycle", "create, read, delete 10 KB", cycle), times(OLD, 4)
        ),
        _small_work("relay", "read 10 KB by a relay", latency.ways),
    ]


def _writing(size: int, heavy: bool = False) -> list[Work]:
    key = "write-big" if heavy else "write"
    ceiling = times(label(server.NAME), 0.7, label(OURS))
    little = (at_most(0, UPDATES), at_most(1.08, WAL), at_most(8, MEMORY))

    def work(key: str, title: str, kind: str, *targets: Target) -> Work:
        return Work(
            key,
            title,
            size / MiB,
            "MiB/s",
            partial(writing.big, size=size, kind=kind),
            targets,
            heavy,
            partial(facts.big_write, size=size, kind=kind),
        )

    return [
        work(key, f"write {_size(size)}", RANDOM, times(OLD, 3, label(OURS)), ceiling, *little),
        work(f"{key}-csv", f"write {_size(size)} of CSV", CSV, times(OLD, 5, label(OURS)), ceiling),
    ]


def _serving(size: int) -> list[Work]:
    # 5 MB.
    little = (at_most(4.77, MEMORY), at_most(15, FIRST_BYTE))
    wsgi = serving.Downloads(serving.WSGI, size)
    asgi = serving.Downloads(serving.ASGI, size)
    end = serving.Downloads(serving.WSGI, size, times=5, last=MiB)
    small = serving.Downloads(serving.WSGI, SMALL, times=TIMES)
    return [
        Work(
            "serving-big",
            f"{_size(size)} by gunicorn",
            size / MiB,
            "MiB/s",
            wsgi.runs,
            (times(ALONE, 0.8), *little),
            heavy=True,
            facts=wsgi.facts,
        ),
        Work(
            "serving-big-async",
            f"{_size(size)} by uvicorn",
            size / MiB,
            "MiB/s",
            asgi.runs,
            (times(serving.BY_GUNICORN, 0.6), *little),
            heavy=True,
            facts=asgi.facts,
        ),
        Work(
            "serving-end",
            f"the last MiB of {_size(size)} by gunicorn",
            end.times,
            "MiB/s",
            end.runs,
            (times(ALONE, 0.6), *little),
            facts=end.facts,
        ),
        Work(
            "serving-small",
            "10 KB by gunicorn",
            TIMES,
            "requests/s",
            small.runs,
            (times(OLD, 2), times(ALONE, 0.7), *little),
            facts=small.facts,
        ),
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
