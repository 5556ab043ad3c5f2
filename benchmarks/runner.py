"""Runs one work: a round is one run of each contestant, and there are several rounds."""

from typing import Any

from .running import Clock
from .stage import Stage
from .targets import Target
from .works import Work


def measure(work: Work, stage: Stage, rounds: int) -> dict[str, Any]:
    """Return what the report shows of a work, as JSON has it."""
    clock = Clock()
    with work.runs(stage) as runs:
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        if not work.heavy:
            for run in runs.values():
                run(clock)
        for _ in range(rounds):
            for name, run in runs.items():
                run(clock)
                seconds[name].append(clock.seconds)
    facts = work.facts(stage)
    return {
        "key": work.key,
        "title": work.title,
        "unit": work.unit,
        "amount": work.amount,
        "seconds": seconds,
        "facts": facts,
        "targets": [_judge(target, seconds, facts) for target in work.targets],
    }


def _judge(target: Target, seconds: dict[str, list[float]], facts: Any) -> dict[str, Any]:
    reached = target.reached(seconds, facts)
    met = reached <= target.bound if target.at_most else reached >= target.bound
    return {"text": target.text, "reached": reached, "met": met}
