"""What the works are made of: a clock, and steps that several of them take."""

import gc
import time
from collections.abc import Callable
from typing import Any, Self

from django.core.files import File
from django.core.files.base import ContentFile

from .contestants import MAKERS, Contestant, make
from .stage import Stage

TIMES = 100  # operations in a run of the small works


class Clock:
    """Times what is done in its `with`, without the garbage collector."""

    seconds: float

    def __enter__(self) -> Self:
        gc.collect()
        gc.disable()
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._start
        gc.enable()


type Run = Callable[[Clock], None]
type Runs = dict[str, Run]


def contestants(stage: Stage, size: int) -> list[Contestant]:
    return [c for name in MAKERS if (c := make(name, stage.folder)).largest >= size]


def big_file(stage: Stage, size: int) -> File:
    return File(stage.file(size).open("rb"))


def save_big(contestant: Contestant, stage: Stage, size: int) -> Any:
    with contestant.alone(), big_file(stage, size) as content:
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
