"""The time that workers wait for their server: embedded, in one container for all, in a container for each.

Run ``python benchmarks/parallel.py`` where a container engine answers and the image is there. Each act goes from
nothing to nothing; what is measured is the time until every worker has had an answer.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psycopg
from figures import interleaved, load, machine, milliseconds, ratio, table, timed

from pytest_crucible.server import Lease, lease

BLOCKS, ROUNDS = 3, 3
WORKERS = (1, 4)
SERVERS = ("embedded", "container", "container-per-worker")


def answered(spec: str, folder: Path) -> Lease:
    """Take a lease, and wait until its server has answered."""
    held = lease(spec, root=folder, cache=folder / "cache")
    with psycopg.connect(**held.admin.libpq()) as connection:
        connection.execute("SELECT 1")
    return held


def act(spec: str, workers: int, folder: Path) -> float:
    """Return the time from nothing until each of the workers has had an answer."""
    held: list[Lease] = []

    def take() -> None:
        with ThreadPoolExecutor(workers) as pool:
            held.extend(pool.map(lambda _: answered(spec, folder), range(workers)))

    took = timed(take)
    nests = {Path(one.nest) for one in held}  # type: ignore[attr-defined] # both kinds have one
    for one in held:
        one.release()
    while any(nest.exists() for nest in nests):
        time.sleep(0.001)
    return took


def main(folder: Path) -> None:
    """Measure, and print a table."""
    machine()
    acts: dict[str, Callable[[], float]] = {
        f"{spec}, {workers}": partial(act, spec, workers, folder) for spec in SERVERS for workers in WORKERS
    }
    blocks = interleaved(acts, blocks=BLOCKS, rounds=ROUNDS)
    rows = [[name, milliseconds(blocks, name), ratio(blocks, name, f"embedded, {name.split()[-1]}")] for name in acts]
    table("Until every worker has had an answer", ["server, workers", "ms", "times embedded"], rows)
    load()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(temporary))
