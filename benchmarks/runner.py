"""Runs one work: a round is one run of each contestant, and there are several rounds."""

from contextlib import nullcontext
from typing import Any

from .facts import TRIPS
from .running import Clock
from .stage import Stage
from .targets import Target
from .work import Work


def measure(work: Work, stage: Stage, rounds: int) -> dict[str, Any]:
    """Return what the report shows of a work, as JSON has it."""
    clock = Clock(stage)
    with work.runs(stage) as runs:
        # A first round, which counts round trips: the relay that does so would take time.
        trips = {}
        with nullcontext() if stage.relay else stage.through():
            for name, run in runs.items():
                run(clock)
                trips[name] = clock.trips / work.operations
        measured: dict[str, Any] = {
            kind: {name: [] for name in runs} for kind in ("seconds", "client", "server")
        }
        for _ in range(rounds):
            for name, run in runs.items():
                run(clock)
                for kind, found in measured.items():
                    found[name].append(getattr(clock, kind))
    facts = {TRIPS: {name: number for name, number in trips.items() if number}}
    facts |= work.facts(stage)
    if not stage.postmaster:
        del measured["server"]
    judged = [_judge(target, measured["seconds"], facts) for target in work.targets]
    return {
        "key": work.key,
        "title": work.title,
        "unit": work.unit,
        "amount": work.amount,
        **measured,
        "facts": facts,
        "targets": [target for target in judged if target],
    }


def _judge(target: Target, seconds: dict[str, list[float]], facts: Any) -> dict[str, Any] | None:
    """None: who is to be judged is not there, as without lz4."""
    if not target.fact and not {target.slower, target.faster} <= seconds.keys():
        return None
    reached = target.reached(seconds, facts)
    met = reached <= target.bound if target.at_most else reached >= target.bound
    return {"text": target.text, "reached": reached, "met": met}
