"""All works, and what each is to reach."""

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from . import accel, crowds, facts, reading, server, serving, writing
from .contestants import DRIVER, OLD, OURS
from .facts import FIRST_BYTE, MEMORY, TRIPS, UPDATES, WAL, Facts
from .running import TIMES, Runs
from .stage import SMALL, MiB, Stage
from .targets import Target, at_most, times, within


@dataclass(frozen=True)
class Work:
    """`runs` prepares the stage, gives a run of each contestant, and cleans up."""

    key: str
    title: str
    amount: float
    unit: str
    runs: Callable[[Stage], AbstractContextManager[Runs]]
    targets: tuple[Target, ...] = ()
    heavy: bool = False  # so long that few rounds must do
    facts: Callable[[Stage], Facts] = facts.none  # what is counted in place of timed


def works(large: int, big: int, others: tuple[int, ...]) -> list[Work]:
    """Return the works, with files of `large` and `big` bytes, and among `others` more objects."""
    return [
        *_reading(large),
        *_reading_big(big),
        *_small(),
        _writing(32 * MiB),
        _writing(big, heavy=True),
        Work(
            "lines",
            f"write {writing.LINES:,} lines by csv",
            writing.LINES,
            "lines/s",
            writing.lines,
            (
                within(1.5, writing.BUFFERED, writing.ONE_WRITE),
                within(1.5, writing.BUFFERED_MIB, writing.ONE_WRITE),
            ),
        ),
        *_serving(big),
        *_by_nginx(big),
        _crowd("crowd-cycle", "create, read, delete 10 KB", crowds.cycle, others),
        _crowd("crowd-read", "read 10 KB just saved", crowds.read_own, others),
        _crowd("crowd-any", "read any of the others", crowds.read_any, others),
        _crowd("crowd-delete", "delete 10 KB", crowds.delete, others),
    ]


def _size(size: int) -> str:
    return f"{size // MiB:,} MiB" if size % (1024 * MiB) else f"{size // MiB // 1024} GiB"


def _reading(size: int) -> list[Work]:
    targets = (times(OLD, 8), times(DRIVER, 3), times(server.NAME, 0.55))
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
            (times(OLD, 9), at_most(2, MEMORY)),
            heavy=True,
            facts=partial(facts.big_read, size=size),
        ),
        Work(
            "read-range",
            f"read 1 MiB from anywhere in {_size(size)}",
            len(starts),
            "MiB/s",
            partial(reading.big, size=size, read=ranges, ceilings=same_ranges, warm=False),
            (times(OLD, 4),),
        ),
    ]


def _small() -> list[Work]:
    def work(
        key: str,
        title: str,
        runs: Callable[[Stage], AbstractContextManager[Runs]],
        count: Callable[[Stage], Facts],
        *targets: Target,
    ) -> Work:
        return Work(key, title, TIMES, "per s", runs, targets, facts=count)

    def both(key: str, title: str, runs: Callable, count: Callable, *targets: tuple) -> list[Work]:
        """In autocommit and in atomic()."""
        return [
            work(
                key + ("-atomic" if atomic else ""),
                title + (" in atomic()" if atomic else ""),
                partial(runs, in_transaction=atomic),
                partial(count, in_transaction=atomic),
                *targets[atomic],
            )
            for atomic in (False, True)
        ]

    return [
        work(
            "small-read",
            "read 10 KB",
            reading.small,
            facts.small_read,
            times(OLD, 4),
            at_most(1, TRIPS),
        ),
        *both(
            "small-create",
            "create 10 KB",
            writing.create,
            facts.create,
            (times(OLD, 2), at_most(1, TRIPS)),
            (times(OLD, 1.6),),
        ),
        *both(
            "small-cycle",
            "create, read, delete 10 KB",
            writing.cycle,
            facts.cycle,
            (times(OLD, 2.5), at_most(3, TRIPS)),
            (times(OLD, 2.5), at_most(7, TRIPS)),
        ),
    ]


def _writing(size: int, heavy: bool = False) -> Work:
    return Work(
        "write-big" if heavy else "write",
        f"write {_size(size)}",
        size / MiB,
        "MiB/s",
        partial(writing.big, size=size),
        (
            times(OLD, 2),
            times(server.NAME, 0.9),
            at_most(0, UPDATES),
            at_most(1.08, WAL),
            at_most(8, MEMORY),
        ),
        heavy,
        partial(facts.big_write, size=size),
    )


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
            (times(OLD, 12), *little),
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
            (times(OLD, 3), *little),
            facts=end.facts,
        ),
        Work(
            "serving-small",
            "10 KB by gunicorn",
            TIMES,
            "requests/s",
            small.runs,
            (times(OLD, 2), within(1.5, OURS, serving.FROM_DISK), *little),
            facts=small.facts,
        ),
    ]


def _by_nginx(size: int) -> list[Work]:
    large = accel.HandedOver(accel.WAYS, size)
    small = accel.HandedOver(accel.WAYS, SMALL, times=TIMES)
    return [
        Work(
            "nginx-big",
            f"{_size(size)} by nginx",
            size / MiB,
            "MiB/s",
            large.runs,
            (times(accel.DISK, 0.8),),
            heavy=True,
            facts=large.facts,
        ),
        Work(
            "nginx-small",
            "10 KB by nginx",
            TIMES,
            "requests/s",
            small.runs,
            (times(serving.FROM_DISK, 2),),
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
        tuple(within(1.1, many, few) for many in more),
    )
