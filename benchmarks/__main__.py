"""bin/bench: run the works, contestants in turns, and report."""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from config.embedded_postgres import database

from . import report
from .about import describe
from .cluster import Cluster
from .stage import CROWDS, ROOT, GiB, MiB, Stage, configure


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bin/bench", description="Measure lo_storage beside what else one could use."
    )
    parser.add_argument("works", nargs="*", help="works whose keys contain one of these")
    parser.add_argument("--quick", action="store_true", help="a few minutes: less of everything")
    parser.add_argument("--repeat", type=int, help="rounds (default: 7; with the largest file 3)")
    parser.add_argument("--list", action="store_true", help="list the works and end")
    parser.add_argument("--redraw", action="store_true", help="report again what docs has")
    parser.add_argument(
        "--among", type=int, action="append", default=[], help="so many other files, too"
    )
    parser.add_argument(
        "--server",
        help="the programs of a PostgreSQL of which one is made, as in /usr/lib/postgresql/15/bin,"
        " or HOST:PORT, with PGPASSWORD the password of the superuser postgres (default: the"
        " project's own, which has no lz4)",
    )
    parser.add_argument(
        "--into",
        type=Path,
        help="a folder whose results of these works are replaced (everything: docs, anew)",
    )
    return parser.parse_args()


@contextmanager
def server(choice: str | None) -> Iterator[None]:
    """Let this process and its children find a server in PGHOST and PGPORT."""
    # A relay cannot count what is encrypted.
    os.environ |= {"PGSSLMODE": "disable", "PGGSSENCMODE": "disable"}
    if choice is None:
        found = database(ROOT)
        os.environ |= {"PGHOST": found["HOST"], "PGPORT": found["PORT"]}
        yield
    elif Path(choice).is_dir():
        (ROOT / ".postgres").mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / ".postgres") as folder:
            Path(folder).chmod(0o755)
            cluster = Cluster(Path(choice), Path(folder) / "server")
            cluster.initialise()
            cluster.start()
            try:
                os.environ |= {"PGHOST": str(cluster.folder), "PGPORT": "5432"}
                yield
            finally:
                cluster.stop()
    else:
        host, _, port = choice.partition(":")
        os.environ |= {"PGHOST": host, "PGPORT": port or "5432"}
        yield


def main() -> None:
    options = arguments()
    if options.redraw:
        folder = options.into or ROOT / "docs"
        report.write(report.load(folder), folder)
        return
    few, many = CROWDS
    crowds = (few, many // 10 if options.quick else many, *options.among)
    configure(crowds)
    from .runner import measure
    from .works import works

    sizes = (16 * MiB, 128 * MiB, 20_000) if options.quick else (64 * MiB, GiB, 200_000)
    chosen = works(*sizes, crowds)
    if options.works:
        chosen = [work for work in chosen if any(part in work.key for part in options.works)]
    if options.list or not chosen:
        print("\n".join(f"{work.key:22}{work.title}" for work in chosen) or "no such work")
        return
    complete = not (options.quick or options.works)
    folder = options.into or ROOT / ("docs" if complete else ".bench")
    folder.mkdir(exist_ok=True)
    rounds = (3, 1) if options.quick else (7, 3)
    began = datetime.now(UTC)
    with server(options.server), Stage.set() as stage:
        about = describe(sys.argv[1:], began)
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
