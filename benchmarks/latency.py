"""Works at a distance from the server, which a relay makes, and what the relay itself costs."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

from . import facts, server
from .contestants import FILES, OURS, make
from .reading import whole
from .running import TIMES, Clock, Runs, delete_all, save_small
from .stage import SMALL, Stage
from .targets import Target
from .work import Work

EACH_WAY = 0.0005  # seconds
WAYS = {"directly": None, "by a relay that delays nothing": 0.0, "by a relay over 1 ms": EACH_WAY}
LOCAL = (FILES, server.NAME, server.IN_PIECES)  # who makes no round trip for each operation


def over_latency(work: Work, *targets: Target) -> Work:
    """Return the same work for whom a round trip takes a millisecond more."""

    @contextmanager
    def runs(stage: Stage) -> Iterator[Runs]:
        with stage.through(EACH_WAY), work.runs(stage) as found:
            yield {name: run for name, run in found.items() if name not in LOCAL}

    return replace(
        work,
        key=f"{work.key}-latency",
        title=f"{work.title} over 1 ms",
        runs=runs,
        targets=targets,
        facts=facts.none,
    )


@contextmanager
def ways(stage: Stage) -> Iterator[Runs]:
    """Read small files by each way to the server."""
    contestant = make(OURS, stage.folder)
    names = [save_small(contestant, stage) for _ in range(TIMES)]
    stage.tidy()

    def run(delay: float | None, clock: Clock) -> None:
        with ExitStack() as stack:
            if delay is not None:
                stack.enter_context(stage.through(delay))
            with clock:
                for name in names:
                    whole(contestant, name, SMALL)

    yield {name: partial(run, delay) for name, delay in WAYS.items()}
    delete_all(contestant, names)
