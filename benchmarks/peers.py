"""Crucible and its peers in one run: the same application and the same tests under each way to keep tests apart.

Run ``python benchmarks/peers.py``; ``--help`` names the arguments. Each side has an environment of its own, which is
installed at first and kept in a cache folder. Each round visits each side once, in a new order; a visit is a cold run
and then a warm one (see `peers_visit`). The figures go to ``docs/peers.json``, and from there to the page
``docs/peers.md`` and its plots.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import peers_page
from figures import load, machine
from peers_environments import Environment, environment
from peers_sides import SIDES, Side

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
FOREIGN = ("PYTEST_", "CRUCIBLE_", "PEERS_", "PG", "DJANGO_", "PYTHONDONTWRITEBYTECODE", "DATABASE_URL")
NOWHERE = "postgresql+asyncpg://shop@127.0.0.1:1/shop"


class Bench:
    """The sides on this machine, and the figures of their visits.

    Args:
        sides: The sides that can be measured here.
        environments: Their environments, by name.
        tests: The number of tests of a run.
    """

    def __init__(self, sides: list[Side], environments: dict[str, Environment], tests: int) -> None:
        self.sides = sides
        self.environments = environments
        self.tests = tests
        self.found: dict[str, dict[str, list[dict[str, Any]]]] = {side.name: {} for side in sides}
        self.probes: dict[str, dict[str, bool]] = {}

    def visit(self, side: Side, workers: int) -> None:
        """Visit a side once, and keep the figures."""
        for name, figures in self.runs(side, self.command(side, workers, "test_shop.py"), "cold", "warm").items():
            if output := figures.pop("output", ""):
                print(f"{side.name}, {name}, {workers} workers:", *output.splitlines()[-25:], sep="\n    ", flush=True)
            for tests in ("tests", "failed"):
                figures[tests] = len(figures[tests])
            if not output and figures["tests"] != self.tests:
                raise SystemExit(f"{side.name} ran {figures['tests']} tests of {self.tests}")
            self.found[side.name].setdefault(f"{name} {workers}", []).append(figures)

    def probe(self, side: Side) -> None:
        """Ask which probes a side passes."""
        run = self.runs(side, self.command(side, 1, "test_probes.py"), "probes")["probes"]
        failed = {probe(test) for test in run["failed"]}
        self.probes[side.name] = {probe(test): probe(test) not in failed for test in run["tests"]}

    def runs(self, side: Side, command: list[str], *names: str) -> dict[str, dict[str, Any]]:
        """Return the figures of runs in a new project and with no caches, by their names."""
        with tempfile.TemporaryDirectory(prefix="crucible-peers-", ignore_cleanup_errors=True) as folder:
            project = Path(folder, "project")
            side.write(project)
            words = {"runs": names, "command": command, "folder": str(project), "server": side.server}
            words["environment"] = self.variables(side, project)
            visit = [sys.executable, str(HERE / "peers_visit.py"), json.dumps(words)]
            done = subprocess.run(visit, env=clean(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{side.name}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def command(self, side: Side, workers: int, tests: str) -> list[str]:
        """Return the command of a run."""
        python = str(self.environments[side.environment].python)
        command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "peers_plugin", *side.arguments]
        command += ["-n", str(workers)] if workers > 1 else []
        command += [] if side.own else ["-p", "no:crucible"]
        return [*command, tests]

    def variables(self, side: Side, project: Path) -> dict[str, str]:
        """Return the environment variables of a run, but those of a given server."""
        return {
            "PYTHONPATH": str(project),
            "DATABASE_URL": NOWHERE,
            "PEERS_TESTS": str(self.tests),
            "PEERS_WAY": side.way,
            "PEERS_NODE": str(self.environments[side.environment].node),
            "PEERS_IMAGE": os.environ.get("PEERS_IMAGE", "postgres:16-alpine"),
        }


def probe(test: str) -> str:
    """Return the name of the probe from the id of its test."""
    return test.partition("::test_")[2].partition("[")[0]


def clean() -> dict[str, str]:
    """Return our environment without what a side would take for its settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}


def measure(bench: Bench, rounds: int, workers: list[int]) -> None:
    """Probe each side, and visit it in each round, in a new order."""
    for side in bench.sides:
        bench.probe(side)
        print(f"{side.name}: probes {bench.probes[side.name]}", flush=True)
    for turn in range(1, rounds + 1):
        for number in workers:
            sides = [side for side in bench.sides if number == 1 or not side.alone]
            for side in random.sample(sides, len(sides)):
                began = time.perf_counter()
                bench.visit(side, number)
                took = time.perf_counter() - began
                print(f"round {turn}, {number} workers, {side.name}: {took:.0f} s", flush=True)


def arguments() -> argparse.Namespace:
    """Return the arguments of the script."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=2, help="visits of each side (%(default)s)")
    parser.add_argument("--tests", type=int, default=300, help="tests of a run, a multiple of 6 (%(default)s)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="numbers of workers (1 2)")
    parser.add_argument("--sides", nargs="+", metavar="NAME", help="only the sides with these words in their names")
    parser.add_argument("--here", action="store_true", help="this interpreter instead of environments of their own")
    parser.add_argument("--install", action="store_true", help="make the environments, and measure nothing")
    parser.add_argument("--page", action="store_true", help="write the page from the figures, and measure nothing")
    parser.add_argument("--output", type=Path, default=DOCS, help="the folder of figures and page (docs)")
    return parser.parse_args()


def facts(bench: Bench, words: argparse.Namespace, seconds: float) -> dict[str, Any]:
    """Return the circumstances of the figures."""
    versions = {name: each.versions() for name, each in bench.environments.items()}
    return {
        "machine": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
        "tests": words.tests,
        "rounds": words.rounds,
        "minutes": round(seconds / 60, 1),
        "versions": versions,
    }


def install(sides: list[Side], skipped: dict[str, str]) -> dict[str, Environment]:
    """Return the environments of the sides; those that cannot be made are a reason to skip their sides."""
    made: dict[str, Environment] = {}
    for side in sides:
        if side.needs == "node" and side.missing():
            continue
        try:
            made[side.environment] = made.get(side.environment) or environment(side.environment)
        except subprocess.CalledProcessError:
            skipped[side.name] = "its packages cannot be installed here"
    return made


def main(words: argparse.Namespace) -> None:
    """Measure, and write the figures."""
    asked = [side for side in SIDES if not words.sides or any(each in side.name for each in words.sides)]
    skipped: dict[str, str] = {}
    own = Environment(Path(sys.executable), Path())
    environments = {side.environment: own for side in asked} if words.here else install(asked, skipped)
    if words.install:
        return
    skipped |= {side.name: reason for side in asked if (reason := side.missing())}
    bench = Bench([side for side in asked if side.name not in skipped], environments, words.tests)
    began = time.perf_counter()
    measure(bench, words.rounds, words.workers)
    seconds = time.perf_counter() - began
    figures = {**facts(bench, words, seconds), "skipped": skipped, "probes": bench.probes, "sides": bench.found}
    words.output.mkdir(parents=True, exist_ok=True)
    (words.output / "peers.json").write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    given = arguments()
    if not given.page:
        machine()
        main(given)
        load()
    if not given.install:
        peers_page.write(given.output)
