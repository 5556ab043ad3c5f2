"""What a work is."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from . import facts
from .facts import Facts
from .running import Runs
from .stage import MiB, Stage
from .targets import Target


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
    operations: int = 1  # of a run, each of which has as many round trips


def of_bytes(
    key: str, title: str, size: int, runs: Callable, *targets: Target, **more: Any
) -> Work:
    """`title` is with the size."""
    return Work(key, title.format(size_of(size)), size / MiB, "MiB/s", runs, targets, **more)


def size_of(size: int) -> str:
    return f"{size // MiB:,} MiB" if size % (1024 * MiB) else f"{size // MiB // 1024} GiB"
