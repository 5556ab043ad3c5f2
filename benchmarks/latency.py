"""Works at a distance from the server, which a relay makes, and what the relay itself costs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from statistics import median

from . import facts, processor, server
from .contestants import FILES, OURS, make
from .facts import Facts
from .reading import whole
from .running import TIMES, Clock, Runs, delete_all, save_small
from .stage import SMALL, Stage
from .targets import Target
from .work import Work

EACH_WAY = 0.0005  # seconds
DIRECTLY = "directly"
DELAYS = {"by a relay that delays nothing": 0.0, "by a relay over 1 ms": EACH_WAY}
RELAY = "ms of the relay's processor time"
LOCAL = (FILES, server.NAME)  # how those are called who make no round trip for each operation


def over_latency(work: Work, *targets: Target) -> Work:
    """Return the same work for whom a round trip takes a millisecond more."""

    @contextmanager
    def runs(stage: Stage) -> Iterator[Runs]:
        with stage.through(EACH_WAY), work.runs(stage) as found:
            yield {name: run for name, run in found.items() if not name.startswith(LOCAL)}

    return replace(
        work,
        key=f"{work.key}-latency",
        title=f"{work.title} over 1 ms",
        runs=runs,
        targets=targets,
        facts=facts.none,
    )


class Ways:
    """Reading small files by each way to the server, and what the relay takes for a run."""

    def __init__(self) -> None:
        self._relay: dict[str, list[float]] = {}

    @contextmanager
    def runs(self, stage: Stage) -> Iterator[Runs]:
        contestant = make(OURS, stage.folder)
        names = [save_small(contestant, stage) for _ in range(TIMES)]
        stage.tidy()

        def read(clock: Clock) -> None:
            with clock:
                for name in names:
                    whole(contestant, name, SMALL)

        def read_by_relay(way: str, delay: float, clock: Clock) -> None:
            with stage.through(delay) as relay:
                before = processor.of(relay.pid)
                read(clock)
                taken = (processor.of(relay.pid) - before) / 1e6
            self._relay.setdefault(way, []).append(taken)

        yield {DIRECTLY: read} | {
            way: partial(read_by_relay, way, delay) for way, delay in DELAYS.items()
        }
        delete_all(contestant, names)

    def facts(self, stage: Stage) -> Facts:
        return {RELAY: {way: median(taken) for way, taken in self._relay.items()}}
