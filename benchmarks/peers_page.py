"""The page ``docs/peers.md`` and its plots, from the figures of `peers.py`."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from figures import markdown, number
from peers_plot import Row, bars
from peers_sides import SIDES, Side

RESET = "Crucible, reset"
# A difference of less than this says nothing.
SAME = 1.05
SHOWN = ("pytest", "SQLAlchemy", "asyncpg", "fastapi", "pytest-asyncio", "pytest-xdist")
PEERS = ("pytest-sqla", "pytest-postgresql", "py-pglite", "pytest-sqlalchemy-alembic", "testcontainers")
DJANGO = ("Django", "pytest-django", "psycopg")
TEXT = (Path(__file__).parent / "peers_page.md").read_text("utf-8")


@dataclass(frozen=True)
class Figure:
    """A figure by which sides are compared.

    Attributes:
        run: The kind of run and the number of workers, such as ``warm 1``.
        name: Its name among the figures of a run.
        words: Its name on the page.
        unit: Its unit.
    """

    run: str
    name: str
    words: str
    unit: str


FIGURES = [
    Figure("warm 1", "wall", "a warm run, one worker", "s"),
    Figure("warm 2", "wall", "a warm run, two workers", "s"),
    Figure("cold 1", "wall", "a cold run, one worker", "s"),
    Figure("cold 2", "wall", "a cold run, two workers", "s"),
    Figure("warm 1", "processor", "processor time of a warm run", "s"),
    Figure("warm 1", "memory", "peak of memory of a warm run", "MB"),
    Figure("warm 1", "median", "the median test", "ms"),
    Figure("warm 1", "p95", "the slowest twentieth of the tests", "ms"),
    Figure("warm 1", "p99", "the slowest hundredth of the tests", "ms"),
]


class Results:
    """The figures of a run of the benchmark.

    Args:
        words: The content of ``peers.json``.
    """

    def __init__(self, words: dict[str, Any]) -> None:
        self.words = words
        self.sides = [side for side in SIDES if side.name in words["sides"]]

    def value(self, side: str, run: str, name: str) -> float | None:
        """Return the median over the rounds; None where the side did not run, or tests of it failed."""
        rounds = self.words["sides"].get(side, {}).get(run, [])
        if not rounds or any(name not in figures or figures["failed"] for figures in rounds):
            return None
        return statistics.median(figures[name] for figures in rounds)

    def cell(self, side: str, run: str, name: str) -> str:
        """Return a figure as the page shows it."""
        value = self.value(side, run, name)
        return "–" if value is None else number(value)

    def better(self, figure: Figure, mine: str) -> Iterator[tuple[Side, float]]:
        """Yield the sides on the same application that are better than *mine*, and how many times."""
        own = self.value(mine, figure.run, figure.name)
        for side in self.sides:
            its = self.value(side.name, figure.run, figure.name)
            if own and its and side.project == "fastapi" and own / its >= SAME:
                yield side, own / its


def times(results: Results, run: str) -> list[str]:
    """Return the table of the runs of one kind, ``cold`` or ``warm``."""
    header = ("", "s, one worker", "s, two", "processor s", "memory, MB", "ms a test: median", "95 %", "99 %")
    names = ("processor", "memory", "median", "p95", "p99")
    rows = []
    for side in results.sides:
        walls = [results.cell(side.name, f"{run} {workers}", "wall") for workers in (1, 2)]
        name = f"**{side.name}**" if side.own else side.name
        rows.append((name, *walls, *(results.cell(side.name, f"{run} 1", each) for each in names)))
    return markdown(header, rows)


def wins(results: Results) -> list[str]:
    """Return the table of what other sides do better than the reset."""
    rows = []
    for figure in FIGURES:
        if results.value(RESET, figure.run, figure.name) is None:
            continue
        found = sorted(results.better(figure, RESET), key=lambda each: -each[1])
        others = ", ".join(f"{side.name} ({number(ratio)})" for side, ratio in found) or "no other"
        own = results.cell(RESET, figure.run, figure.name)
        rows.append((figure.words, f"{own} {figure.unit}", others))
    return markdown(("", RESET, "better, and how many times"), rows)


def ways(results: Results) -> list[str]:
    """Return the table of what each side is, and which probes it passes."""
    header = ("", "tests are kept apart by", "server", *PROBES.values())
    rows = []
    for side in results.sides:
        passed = results.words["probes"].get(side.name, {})
        cells = [{True: "yes", False: "no"}.get(passed.get(probe), "–") for probe in PROBES]
        rows.append((side.name, side.means, "given" if side.server else "its own", *cells))
    return markdown(header, rows)


# The tests of ``test_probes.py``, and the columns of the page.
PROBES = {
    "gather": "five requests at once",
    "own_session": "sessions that the application opens by itself",
    "commit": "a commit ends the transaction",
    "sequence": "keys begin at 1 in each test",
}


def slower(results: Results) -> str:
    """Return a sentence on the other sides on the same application whose commits end the transaction."""
    own = results.value(RESET, "warm 1", "median")
    commit = [side for side in results.sides if results.words["probes"].get(side.name, {}).get("commit")]
    sides = [side for side in commit if side.project == "fastapi" and side.name != RESET]
    found = [(side, results.value(side.name, "warm 1", "median")) for side in sides]
    ratios = [f"{side.name} {number(its / own)}" for side, its in found if own and its]
    return (
        f"Of the ways whose commits are real, the median test takes, in times that of the reset: {', '.join(ratios)}."
    )


def busy(results: Results) -> str:
    """Return a warning if others used the machine at the same time."""
    if results.words["load"] <= results.words["cores"] + 1:
        return ""
    return "Other work ran on the machine: figures by the clock may be off by half, processor time and memory hardly."


def left_out(results: Results) -> list[str]:
    """Return a line for each side that was not measured, or not in each way."""
    lines = [f"- {name}: skipped, since {reason}." for name, reason in results.words["skipped"].items()]
    lines += [f"- {side.name}: only one worker; {side.alone}." for side in results.sides if side.alone]
    for side in results.sides:
        for run, rounds in results.words["sides"][side.name].items():
            if failed := max(each["failed"] or "median" not in each for each in rounds):
                lines.append(f"- {side.name}, {run} workers: {int(failed)} tests failed, and so there is no figure.")
    return lines


def plots(results: Results) -> dict[str, str]:
    """Return the plots by the names of their files."""

    def rows(*pairs: tuple[str, str]) -> list[Row]:
        values = [(side, [results.value(side.name, run, name) for run, name in pairs]) for side in results.sides]
        return [Row(side.name, found, side.own) for side, found in values]

    tests = results.words["tests"]
    walls = {run: rows((f"{run} 1", "wall"), (f"{run} 2", "wall")) for run in ("warm", "cold")}
    workers = ("one worker", "two workers")
    return {
        "peers-warm.svg": bars(f"A warm run of {tests} tests, seconds", workers, walls["warm"]),
        "peers-cold.svg": bars(f"A cold run of {tests} tests, seconds", workers, walls["cold"]),
        "peers-test.svg": bars(
            "One test of a warm run, milliseconds", ("median", "95 %"), rows(("warm 1", "median"), ("warm 1", "p95"))
        ),
        "peers-memory.svg": bars(
            "Peak of memory of a warm run, MB", workers, rows(("warm 1", "memory"), ("warm 2", "memory"))
        ),
    }


def versions(results: Results) -> str:
    """Return the versions that the figures are of."""
    found = {name: version for each in results.words["versions"].values() for name, version in each.items()}
    names = [*SHOWN, *PEERS, *DJANGO]
    return ", ".join(f"{name} {found[name]}" for name in names if name in found)


def page(results: Results) -> str:
    """Return the page."""
    return TEXT.format(
        **{name: results.words[name] for name in ("machine", "cores", "python", "load", "tests", "rounds", "minutes")},
        versions=versions(results),
        busy=busy(results),
        ways="\n".join(ways(results)),
        warm="\n".join(times(results, "warm")),
        cold="\n".join(times(results, "cold")),
        wins="\n".join(wins(results)),
        slower=slower(results),
        left_out="\n".join(left_out(results)) or "- nothing.",
    )


def write(folder: Path) -> None:
    """Write page and plots into *folder*, from the figures in it."""
    results = Results(json.loads((folder / "peers.json").read_text()))
    (folder / "peers.md").write_text(page(results))
    for name, plot in plots(results).items():
        (folder / name).write_text(plot)
