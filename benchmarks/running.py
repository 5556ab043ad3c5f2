"""What the works are made of: a clock, and steps that several of them take."""

import gc
import os
import time
from collections.abc import Callable
from typing import Any, Self

from django.core.files import File
from django.core.files.base import ContentFile

from . import processor
from .contestants import MAKERS, Contestant, make
from .stage import RANDOM, Stage

TIMES = 100  # operations in a run of the small works


class Clock:
    """Measures what is done in its `with`, without the garbage collector.

    - `seconds`: the time.
    - `client`, `server`: processor time in seconds: of the process that asks the database, which
      is this one unless `process` is set, and of all processes of the server on this machine.
    - `trips`: round trips, where they go through a relay.
    """

    seconds: float
    client: float
    server: float | None
    trips: int

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.process = os.getpid()

    def __enter__(self) -> Self:
        gc.collect()
        gc.disable()
        self._before = self._counted()
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._start
        client, server, trips = (
            after - before for after, before in zip(self._counted(), self._before, strict=True)
        )
        self.client, self.trips = client / 1e9, trips
        self.server = server / 1e9 if self.stage.postmaster else None
        gc.enable()

    def _counted(self) -> tuple[int, int, int]:
        server = processor.of_family(self.stage.postmaster) if self.stage.postmaster else 0
        trips = self.stage.relay.trips if self.stage.relay else 0
        return processor.of(self.process), server, trips


type Run = Callable[[Clock], None]
type Runs = dict[str, Run]


def contestants(stage: Stage, size: int) -> list[Contestant]:
    return [c for name in MAKERS if (c := make(name, stage.folder)).largest >= size]


def big_file(stage: Stage, size: int, kind: str = RANDOM) -> File:
    return File(stage.file(size, kind).open("rb"))


def save_big(contestant: Contestant, stage: Stage, size: int, kind: str = RANDOM) -> Any:
    with contestant.alone(), big_file(stage, size, kind) as content:
        return contestant.save(content)


def save_small(contestant: Contestant, stage: Stage) -> Any:
    with contestant.alone():
        return contestant.save(ContentFile(stage.small))


def delete_all(contestant: Contestant, names: list[Any]) -> None:
    with contestant.atomic():
        for name in names:
            contestant.delete(name)


def loid_of(name: str) -> int:
    return int(name.partition(".")[0])
