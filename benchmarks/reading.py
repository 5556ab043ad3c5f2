"""Works that read."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from . import server
from .contestants import Contestant
from .running import TIMES, Clock, Runs, contestants, delete_all, loid_of, save_big, save_small
from .stage import SMALL, MiB, Stage

type Read = Callable[[Contestant, Any], None]


@contextmanager
def big(
    stage: Stage, size: int, read: Read, ceilings: dict[str, Callable[[int], int]], warm: bool
) -> Iterator[Runs]:
    """Read a file that each contestant has saved before, after a reading that is not counted."""
    everybody = contestants(stage, size)
    names = {contestant: save_big(contestant, stage, size) for contestant in everybody}
    stage.tidy()

    def run(contestant: Contestant, clock: Clock) -> None:
        if warm:
            by_chunks(contestant, names[contestant], size)
        with clock:
            read(contestant, names[contestant])

    def ceiling(question: Callable[[int], int], clock: Clock) -> None:
        loid = loid_of(names[everybody[0]])
        if warm:
            server.read_pieces(loid, size)
        with clock:
            length = question(loid)
        assert length

    yield {contestant.name: partial(run, contestant) for contestant in everybody} | {
        name: partial(ceiling, question) for name, question in ceilings.items()
    }
    for contestant in everybody:
        delete_all(contestant, [names[contestant]])


def whole(contestant: Contestant, name: Any, size: int) -> None:
    with contestant.alone(), contestant.open(name) as file:
        content = file.read()
    assert len(content) == size


def by_chunks(contestant: Contestant, name: Any, size: int) -> None:
    with contestant.alone(), contestant.open(name) as file:
        length = sum(map(len, file.chunks()))
    assert length == size


def ranges(contestant: Contestant, name: Any, starts: list[int]) -> None:
    for start in starts:
        with contestant.alone(), contestant.open(name) as file:
            file.seek(start)
            content = file.read(MiB)
        assert len(content) == MiB


@contextmanager
def small(stage: Stage) -> Iterator[Runs]:
    everybody = contestants(stage, SMALL)
    names = {c: [save_small(c, stage) for _ in range(TIMES)] for c in everybody}
    stage.tidy()

    def run(contestant: Contestant, clock: Clock) -> None:
        with clock:
            for name in names[contestant]:
                whole(contestant, name, SMALL)

    def ceiling(clock: Clock) -> None:
        loids = [loid_of(name) for name in names[everybody[0]]]
        with clock:
            length = server.read_many(loids)
        assert length == SMALL * TIMES

    yield {c.name: partial(run, c) for c in everybody} | {server.NAME: ceiling}
    for contestant in everybody:
        delete_all(contestant, names[contestant])
