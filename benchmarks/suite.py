"""The time of the example's suite compared with a run without any isolation.

Run ``python benchmarks/suite.py [pairs]``. Without isolation, tests meet the rows of those before them: each user that
joins gets a name of its own, and tests that fail nevertheless (they count all rows, or change the schema) are left out
of both sides. The other side has no triggers either. The first test, which starts the server, is not counted. The
second table leaves out the tests after which only a fresh clone puts things back, or which ask for one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from figures import judged, load, machine, spread, table
from workshop import cache

LEDGER = Path(__file__).parent.parent / "examples" / "ledger"
LIMIT = 1.05


def run(isolation: str, without: list[str]) -> dict:
    """Run the suite; return its figures."""
    words = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "suite_plugin"]
    for name in without:
        command += ["--deselect", name]
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder, "notes")
        words |= {"PYTHONPATH": str(Path(__file__).parent), "SUITE_NOTES": str(notes), "SUITE_ISOLATION": isolation}
        done = subprocess.run(command, cwd=LEDGER, env=words, capture_output=True, text=True, check=False)
        if not notes.exists():
            raise SystemExit(done.stdout + done.stderr)
        return json.loads(notes.read_text())


def intolerant() -> list[str]:
    """Return the tests that fail if nothing is reset, or because every user gets another name."""
    without: list[str] = []
    for _ in range(6):
        failed = run("off", without)["failed"] + run("on", without)["failed"]
        if not failed:
            return without
        without += sorted(set(failed) - set(without))
    raise SystemExit(f"The suite never settles: {without}")


def compare(title: str, without: list[str], pairs: int) -> list[str]:
    """Print the table without these tests; return those after which there was a fresh clone."""
    found: list[dict[str, dict]] = [
        {side: run(side, without) for side in (("on", "off") if pair % 2 else ("off", "on"))} for pair in range(pairs)
    ]
    rows = []
    for figure in ("processor", "clock"):
        ratios = spread([pair["on"][figure] / pair["off"][figure] for pair in found])
        sides = [spread([pair[side][figure] for pair in found]) for side in ("on", "off")]
        rows.append((figure, *sides, ratios, judged(ratios.median, LIMIT)))
    tests = found[0]["on"]["tests"]
    header = (
        f"{tests} tests, {len(without)} left out",
        "s, reset",
        "s, no isolation",
        "ratio, pair by pair",
        "expected",
    )
    table(title, header, rows)
    return found[0]["on"]["cloned"]


def main(pairs: int) -> None:
    """Print the tables."""
    without = intolerant()
    cloned = compare("the example's suite", without, pairs)
    compare("the example's suite, without fresh clones", without + cloned, pairs)


if __name__ == "__main__":
    machine()
    with cache():
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
    load()
