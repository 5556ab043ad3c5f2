"""bin/explore: every pair of operations in every order, and three at random."""

import argparse
import random
import sys
import time
from collections import Counter
from itertools import combinations_with_replacement, product

import psycopg

from lo_storage.management.progress import Progress

from .operations import OPERATIONS
from .promise import broken
from .schedules import LEVELS, Plan, Sessions, every_order
from .stage import BEGIN, FAULTS, staged

MIXES = [("rc", "rc"), ("rc", "rr"), ("rr", "rr"), ("s", "s")]
# What lets go of a file and what begins to name one, which meet at the gates.
GATED = [
    *("delete-own", "delete-shared", "delete-attachment", "delete-twice", "delete-twice-too"),
    *("replace-own", "set-null", "copy-the-row", "copy-the-name", "move"),
    *("storage-delete-and-set-null",),
]
# Two tables let go of one file at once: whatever is wrong with a release function is seen here.
SHORT = ("delete-shared", "delete-attachment")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/explore",
        description="Run transactions at once, in every order of their steps, and look whether rows"
        " and files agree. Exit status: 0 if they always do, and else 1.",
    )
    parser.add_argument("--short", action="store_true", help="one of the pairs, in seconds")
    parser.add_argument("--random", type=int, metavar="N", help="so many times three at random")
    parser.add_argument("--seed", type=int, help="of what is random (default: another each time)")
    parser.add_argument("--replay", metavar="NAME", help="run again what a finding names")
    parser.add_argument("--plant", choices=FAULTS, help="plant a fault; the first finding ends it")
    return parser.parse_args()


def pairs(names: list[str], *, gated: bool) -> list[Plan]:
    """Return each pair in each mix; the orders of (a, b) are those of (b, a) where levels agree."""
    return [
        Plan(operations, mix, gated)
        for mix in MIXES
        for operations in (
            combinations_with_replacement(names, 2)
            if mix[0] == mix[1]
            else product(names, repeat=2)
        )
    ]


def at_random(choice: random.Random) -> Plan:
    """Return three operations, each under some level, in an order that the moves begin."""
    return Plan(
        tuple(choice.choices(list(OPERATIONS), k=3)),
        tuple(choice.choices(list(LEVELS), k=3)),
        gated=choice.random() < 0.5,
        moves=tuple(choice.choices(range(3), k=24)),
    )


class Explorer:
    """Runs plans, and counts and prints what comes of them."""

    def __init__(self, observer: psycopg.Connection, sessions: Sessions) -> None:
        self.observer, self.sessions = observer, sessions
        self.orders, self.findings = 0, 0
        self.ended: Counter[str] = Counter()

    def run(self, plan: Plan, *, all_orders: bool) -> None:
        """Run a plan in the order of its moves, or in all, until something is found."""
        for done in every_order(self.sessions, plan, lambda: self.observer.execute(BEGIN)):
            used = self.sessions.all[: len(plan.operations)]
            found = broken(self.observer, used)
            self.orders += 1
            self.ended.update(session.outcome for session in used)
            if found:
                self.findings += 1
                print(f"{done}\n  " + "\n  ".join(found), flush=True)
            if found or not all_orders:
                return


def explore(explorer: Explorer, options: argparse.Namespace) -> None:
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**9)
    times = options.random if options.random is not None else (20 if options.short else 3000)
    began, choice = time.monotonic(), random.Random(seed)
    if options.short:
        steps = [Plan(SHORT, mix, gated=False) for mix in MIXES]
        gates = [Plan(SHORT, mix, gated=True) for mix in MIXES[:2]]
    else:
        steps, gates = pairs(list(OPERATIONS), gated=False), pairs(GATED, gated=True)
    for label, these, all_orders in [
        ("Pairs", steps, True),
        ("Pairs in the gates", gates, True),
        ("Three at random", [at_random(choice) for _ in range(times)], False),
    ]:
        orders = explorer.orders
        with Progress(sys.stderr, label, len(these)) as bar:
            for plan in these:
                explorer.run(plan, all_orders=all_orders)
                if options.plant and explorer.findings:
                    return
                bar.add(1)
        print(f"{label}: {len(these):,} in {explorer.orders - orders:,} orders.", flush=True)
    print(f"In {time.monotonic() - began:,.0f} s, --seed {seed}.")


def main() -> int:
    options = arguments()
    interrupted = False
    with staged(options.plant) as observer, Sessions(observer, 3) as sessions:
        explorer = Explorer(observer, sessions)
        try:
            if options.replay:
                explorer.run(Plan.parse(options.replay), all_orders=False)
            else:
                explore(explorer, options)
        except KeyboardInterrupt:
            interrupted = True
            print(f"Interrupted after {explorer.orders:,} orders.")
    outcomes = ", ".join(f"{count:,} {name}" for name, count in explorer.ended.most_common())
    print(f"Transactions: {outcomes}. Findings: {explorer.findings:,}.")
    if explorer.findings:
        return 1
    return 130 if interrupted else 0


if __name__ == "__main__":
    sys.exit(main())
