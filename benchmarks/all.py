"""Every benchmark in turn, and then one table of all aims: what was expected, what was found, and whether it holds.

Run ``python benchmarks/all.py``. The rounds are as few as the spread allows, so that all of it takes less than a
quarter of an hour.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from figures import load, table

# The benchmarks with the arguments that they get here: how often to measure.
BENCHMARKS = {
    "isolation": "5",
    "clones": "3",
    "runs": "2 600",
    "readers": "5",
    "several": "5",
    "growth": "2000",
    "large": "5",
    "trigger": "7",
    "startup": "7",
    "suite": "3",
    "server": "",
    "transports": "3",
    "factories": "4",
    "examples": "4",
    "migrations": "3",
    "orders": "3",
}
AIM = re.compile(r"(.*), (at (?:most|least) .*): (yes|NO)")


def run(name: str, arguments: str) -> list[str]:
    """Run one benchmark, print what it prints, and return its lines."""
    command = [sys.executable, str(Path(__file__).with_name(f"{name}.py")), *arguments.split()]
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            lines.append(line.rstrip())
    if process.returncode:
        raise SystemExit(process.returncode)
    return lines


def aims(lines: list[str]) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield the aims in the tables among *lines*: table, row, what was found, what was expected, and yes or NO."""
    title = ""
    for line in lines:
        title = line.removeprefix("## ") if line.startswith("## ") else title
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        for match in filter(None, map(AIM.fullmatch, cells)):
            yield title, cells[0], match[1], match[2], match[3]


def measure(benchmarks: Mapping[str, str]) -> None:
    """Run each of *benchmarks* with its arguments, and print the tables of times and aims."""
    rows: list[tuple[str, ...]] = []
    times: list[tuple[str, str]] = []
    for name, arguments in benchmarks.items():
        print(f"\n# {name}.py {arguments}\n", flush=True)
        began = time.monotonic()
        rows += aims(run(name, arguments))
        times.append((name, f"{time.monotonic() - began:.0f}"))
    table("how long each took", ("benchmark", "s"), [*times, ("all", f"{sum(int(took) for _, took in times)}")])
    table("all aims", ("table", "row", "found", "aim", "held"), rows)
    load()


if __name__ == "__main__":
    measure(BENCHMARKS)
