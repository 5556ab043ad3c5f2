"""What a work is."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from . import facts
from .facts import Facts
from .running import Runs
from .stage import Stage
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
