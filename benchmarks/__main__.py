"""bin/bench: run the works, contestants in turns, and report."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from . import report
from .stage import CROWDS, ROOT, GiB, MiB, Stage, configure


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/bench", description="Measure lo_storage beside what else one could use."
    )
    parser.add_argument("works", nargs="*", help="works whose keys contain one of these")
    parser.add_argument("--quick", action="store_true", help="two minutes: less of everything")
    parser.add_argument("--repeat", type=int, help="rounds (default: 15; with the largest file 3)")
    parser.add_argument("--list", action="store_true", help="list the works and end")
    parser.add_argument("--redraw", action="store_true", help="report again what docs has")
    parser.add_argument(
        "--into",
        type=Path,
        help="a folder whose results of these works are replaced (everything: docs, anew)",
    )
    return parser.parse_args()


def main() -> None:
    options = arguments()
    if options.redraw:
        folder = options.into or ROOT / "docs"
        report.write(report.load(folder), folder)
        return
    configure()
    from .runner import measure
    from .works import works

    sizes = (16 * MiB, 128 * MiB, CROWDS[:2]) if options.quick else (64 * MiB, GiB, CROWDS)
    chosen = works(*sizes)
    if options.works:
        chosen = [work for work in chosen if any(part in work.key for part in options.works)]
    if options.list or not chosen:
        print("\n".join(f"{work.key:22}{work.title}" for work in chosen) or "no such work")
        return
    complete = not (options.quick or options.works)
    folder = options.into or ROOT / ("docs" if complete else ".bench")
    folder.mkdir(exist_ok=True)
    rounds = (3, 1) if options.quick else (15, 3)
    began = datetime.now(UTC)
    with Stage.set() as stage:
        about = report.describe(sys.argv[1:], began)
        results = []
        for work in chosen:
            print(f"{work.title} …", file=sys.stderr, flush=True)
            results.append(measure(work, stage, options.repeat or rounds[work.heavy]))
    outcome = {"about": [about], "works": results}
    report.show(outcome)
    is_more = options.into and (folder / "benchmark.json").exists()
    report.write(report.merge(outcome, folder) if is_more else outcome, folder)


if __name__ == "__main__":
    main()
