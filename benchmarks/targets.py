"""What a work is to reach."""

from dataclasses import dataclass
from statistics import median

from .contestants import OURS
from .facts import Facts


@dataclass(frozen=True)
class Target:
    """What a figure must reach: a ratio of times, or a fact of one contestant."""

    text: str
    bound: float
    slower: str = ""  # the ratio is the time of this one ...
    faster: str = OURS  # ... by the time of this one
    fact: str = ""
    at_most: bool = False

    def reached(self, seconds: dict[str, list[float]], facts: Facts) -> float:
        if self.fact:
            return facts[self.fact][OURS]
        slower, faster = median(seconds[self.slower]), median(seconds[self.faster])
        return slower / faster


def times(other: str, bound: float, who: str = OURS) -> Target:
    """So many times as fast as another; below 1 a share of the speed that there is."""
    subject = "" if who == OURS else f"{who}: "
    return Target(f"{subject}{bound:g} times {other}", bound, slower=other, faster=who)


def within(bound: float, slower: str, faster: str) -> Target:
    text = f"{slower}: within {bound:g} times the time of {faster}"
    return Target(text, bound, slower=slower, faster=faster, at_most=True)


def at_most(bound: float, fact: str) -> Target:
    return Target(f"{fact}: at most {bound:g}", bound, fact=fact, at_most=True)
