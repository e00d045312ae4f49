"""`race` beside frontrun, on what both can run: functions in two threads, with psycopg2.

Run ``python benchmarks/races.py``: it makes an environment with frontrun 0.7 in a temporary folder. frontrun resets
nothing itself; there, the rows are deleted and put in anew before each order.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
import venv
from pathlib import Path

from figures import load, machine, number, table
from races_cases import CASES, Case, rows
from workshop import cache, isolated

from pytest_crucible.errors import RaceError
from pytest_crucible.races import Race
from pytest_crucible.run import Run
from pytest_crucible.settings import Settings

HERE = Path(__file__).parent
PACKAGES = ["frontrun==0.7.*", "psycopg2-binary", "sqlglot", "sqlalchemy"]


def frontrun(folder: Path, url: str) -> dict[str, list[str]]:
    """Return what frontrun says of each case: its result, orders and seconds."""
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin" / "pip", "install", "-q", *PACKAGES], check=True, stderr=subprocess.DEVNULL)
    command = [folder / "bin" / "frontrun", folder / "bin" / "python", HERE / "races_frontrun.py"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"RACES_URL": url}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=600)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    return {name: [said, str(orders), number(seconds)] for name, said, orders, seconds in lines}


def ours(run: Run, case: Case) -> list[str]:
    """Return what `race` says of the case: its result, orders and seconds."""
    with isolated(run) as test:
        rows()
        began = time.perf_counter()
        try:
            result = Race(test, "", 0).run(*case.actors, invariant=case.invariant)
            said = ["nothing, in every order" if result.is_exhaustive else "nothing", str(result.orders)]
        except RaceError as error:
            found = re.search(r"([\d,]+) orders explored", str(error))
            said = ["found", found[1] if found else ""]
        return [*said, number(time.perf_counter() - began)]


def main() -> None:
    """Print the table."""
    machine()
    with cache(), tempfile.TemporaryDirectory() as folder:
        run = Run(Settings(root=HERE, metadata=("races_cases:Base",)), "be9c4a13", "main")
        try:
            run.worker.redirect.install()
            run.worker.ready()
            with isolated(run) as test:
                beside = frontrun(Path(folder), test.url("postgresql+psycopg2"))
            lines = [
                [case.name, "yes" if case.is_wrong else "no", *ours(run, case), *beside[case.name]] for case in CASES
            ]
        finally:
            run.close()
    table("beside frontrun", ["case", "wrong", "race", "orders", "s", "frontrun", "orders", "s"], lines)
    load()


if __name__ == "__main__":
    main()
