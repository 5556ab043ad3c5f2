"""The tables, the JSON, the plot, and the figures in docs/performance.md."""

import json
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib
from tabulate import tabulate

matplotlib.use("svg")
from matplotlib import pyplot  # after the choice of what it draws with

OURS = "lo_storage"
TRIPS = "round trips"
MARK = "<!-- bin/bench writes what follows -->"
TABLE, END = "<!-- bin/bench writes the table that follows -->", "<!-- bin/bench ends here -->"
# Who is on the page docs/why.md, and what they are there.
CHOICE = {OURS: "lo_storage", "BinaryField": "bytea", "files with fsync": "files on a disk"}

type Outcome = dict[str, Any]  # about: of each run what about.describe() says; works


def load(folder: Path) -> Outcome:
    return json.loads((folder / "benchmark.json").read_text())


def merge(outcome: Outcome, folder: Path) -> Outcome:
    """Return what a folder has, with the works of a run in the place of the same ones.

    Those of another PostgreSQL than the folder's first run come beside them.
    """
    earlier = load(folder)
    major, of_page = (
        run["about"][0]["versions"]["PostgreSQL"].split(".")[0] for run in (outcome, earlier)
    )
    if major != of_page:
        for work in outcome["works"]:
            work["key"] += f"-{major}"
            work["title"] += f", PostgreSQL {major}"
    runs = {about["command"]: about for about in earlier["about"] + outcome["about"]}
    works = {work["key"]: work for work in earlier["works"] + outcome["works"]}
    return {"about": list(runs.values()), "works": list(works.values())}


def show(outcome: Outcome) -> None:
    print(f"\n{targets(outcome, 'simple')}\n\n{figures(outcome, 'simple')}\n")


def write(outcome: Outcome, folder: Path) -> None:
    """Write the tables, the JSON and the plots into a folder."""
    (folder / "benchmark.json").write_text(json.dumps(outcome, indent=1) + "\n")
    plot(outcome, folder / "benchmark.svg")
    page = folder / "performance.md"
    if page.exists():
        before, _ = page.read_text().split(MARK)
        page.write_text(f"{before}{MARK}\n\n{_part(outcome)}\n")
    page = folder / "why.md"
    if page.exists():
        chosen = choice(outcome)
        plot(chosen, folder / "why.svg")
        before, _, rest = page.read_text().partition(TABLE)
        after = rest.partition(END)[2]
        page.write_text(f"{before}{TABLE}\n\n{_rates(chosen)}\n\n{END}{after}")


def choice(outcome: Outcome) -> Outcome:
    """Return the works and the contestants that docs/why.md compares."""
    works = {work["key"]: work for work in outcome["works"]}
    return outcome | {
        "works": [
            works[key]
            | {"seconds": {label: works[key]["seconds"][name] for name, label in CHOICE.items()}}
            for key in ("read-chunks", "write", "small-read", "small-cycle")
            if key in works
        ]
    }


def _rates(outcome: Outcome) -> str:
    rows = [
        [
            f"{work['title']}, {work['unit']}",
            *(f"{work['amount'] / median(seconds):,.0f}" for seconds in work["seconds"].values()),
        ]
        for work in outcome["works"]
    ]
    return _table(rows, ["", *CHOICE.values()], "pipe", "lrrr")


def _part(outcome: Outcome) -> str:
    return "\n\n".join(
        [
            *map(_run, outcome["about"]),
            "## Targets",
            targets(outcome, "pipe"),
            "## Figures",
            figures(outcome, "pipe"),
        ]
    )


def _run(about: dict[str, Any]) -> str:
    return (
        f"Made by `{about['command']}` on {about['date']}{_of(about)}. The machine:"
        f" {about['machine']}."
        f" Versions: {_list(about['versions'])}. The server has PostgreSQL's own settings, among"
        f" them {_list(about['server'])}."
    )


def _of(about: dict[str, Any]) -> str:
    return f", of commit {about['commit']}" if about.get("commit") else ""


def _list(values: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def targets(outcome: Outcome, style: str) -> str:
    rows = []
    for work in outcome["works"]:
        for target in work["targets"]:
            verdict = "met" if target["met"] else "missed"
            rows.append([work["title"], target["text"], f"{target['reached']:.3g}", verdict])
    return _table(rows, ["work", "target", "reached", ""], style, "llrl")


def figures(outcome: Outcome, style: str) -> str:
    rows = []
    for work in outcome["works"]:
        title = work["title"]
        first = median(next(iter(work["seconds"].values())))
        for name, seconds in work["seconds"].items():
            facts = {fact: values[name] for fact, values in work["facts"].items() if name in values}
            trips = facts.pop(TRIPS, None)
            rows.append(
                [
                    title,
                    name,
                    _milliseconds(min(seconds)),
                    _milliseconds(median(seconds)),
                    f"{work['amount'] / median(seconds):,.0f} {work['unit']}",
                    f"{median(seconds) / first:.2f}",
                    *(
                        _milliseconds(median(work[kind][name])) if kind in work else ""
                        for kind in ("client", "server")
                    ),
                    "" if trips is None else f"{trips:,.4g}",
                    "; ".join(f"{fact}: {value:.3g}" for fact, value in facts.items()),
                ]
            )
            title = ""
    headers = [
        *("work", "by", "minimum, ms", "median, ms", "rate", "ratio"),
        *("processor, ms", "of the server, ms", TRIPS, "counted"),
    ]
    return _table(rows, headers, style, "llrrrrrrrl")


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.3g}" if seconds < 1 else f"{seconds * 1000:,.0f}"


def _table(rows: list[list[str]], headers: list[str], style: str, align: str) -> str:
    sides = ["right" if letter == "r" else "left" for letter in align]
    return tabulate(rows, headers, style, disable_numparse=True, colalign=sides)


def plot(outcome: Outcome, path: Path) -> None:
    """Draw the median rate of everybody at each work: a longer bar is faster."""
    works = outcome["works"]
    columns = min(3, len(works)) if len(works) != 4 else 2
    rows = -(-len(works) // columns)
    settings = {"svg.fonttype": "none", "svg.hashsalt": "lo_storage", "font.size": 8}
    with pyplot.rc_context(settings):
        figure, all_axes = pyplot.subplots(
            rows, columns, figsize=(4.4 * columns, 1.9 * rows), layout="constrained", squeeze=False
        )
        for axes in all_axes.flat[len(works) :]:
            axes.set_visible(False)
        for work, axes in zip(works, all_axes.flat, strict=False):
            _draw(work, axes)
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)


def _draw(work: dict[str, Any], axes: Any) -> None:
    names = list(work["seconds"])
    rates = [work["amount"] / median(work["seconds"][name]) for name in names]
    ours = [name for name in names if name.startswith(OURS)] or names
    colours = ["#1d4ed8" if name in ours else "#9ca3af" for name in names]
    bars = axes.barh(names, rates, color=colours)
    axes.bar_label(bars, [f" {rate:,.0f}" for rate in rates])
    axes.set_title(f"{work['title']}, {work['unit']}", fontsize=9, loc="left")
    axes.invert_yaxis()
    axes.margins(x=0.18)
    axes.xaxis.set_visible(False)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
