"""The cost of the trigger that marks a table, for a statement that writes to it.

Run ``python benchmarks/trigger.py [blocks]``: single-row inserts, each a transaction of its own, into two tables that
differ in that trigger only, in turns.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import Callable

import asyncpg
import psycopg
from figures import Block, interleaved, judged, load, machine, milliseconds, ratio, spread, table, timed
from isolation import Suite
from processor import Both
from workshop import cache

LIMIT = 60
MARKED, PLAIN = "t1", "t2"
INSERT = "INSERT INTO {} (name) VALUES (gen_random_uuid()::text)"


def dearer(blocks: list[Block]) -> object:
    """Return the microseconds that the trigger adds: of each block the difference of its medians."""
    return spread([(statistics.median(b["marked"]) - statistics.median(b["plain"])) * 1e6 for b in blocks])


def row(name: str, insert: Callable[[str], object], backend: int, suite: Suite, blocks: int) -> tuple[object, ...]:
    """Return the figures of one driver."""
    written = 0

    def act(table: str, clock: Callable[..., float]) -> Callable[[], float]:
        def measure() -> float:
            nonlocal written
            written += 1
            if written % 200 == 0:
                suite.control._run(f"DELETE FROM {PLAIN}")  # or the tables would grow
                suite.control.reset()
            return clock(lambda: insert(table))

        return measure

    by_clock, by_processor = (
        interleaved({"marked": act(MARKED, clock), "plain": act(PLAIN, clock)}, blocks=blocks, rounds=150)
        for clock in (timed, Both(backend).of)
    )
    found = dearer(by_clock)
    times = ratio(by_clock, "marked", "plain")
    return name, milliseconds(by_clock, "plain"), times, found, dearer(by_processor), judged(found.median, LIMIT)


def main(blocks: int) -> None:
    """Print the table."""
    suite = Suite(40, seeded=False)
    for kind in ("write", "truncate"):
        suite.control._connection.execute(f"DROP TRIGGER pg_crucible_{kind} ON {PLAIN}")
    address = suite.run.worker.address()
    rows = []
    with psycopg.connect(**address.libpq(), autocommit=True) as connection:
        rows.append(
            row(
                "psycopg",
                lambda table: connection.execute(INSERT.format(table), prepare=True),
                connection.info.backend_pid,
                suite,
                blocks,
            )
        )
    loop = asyncio.new_event_loop()
    words = {"host": address.host, "port": address.port, "user": address.user, "database": address.database}
    raw = loop.run_until_complete(asyncpg.connect(**words))
    statements = {name: loop.run_until_complete(raw.prepare(INSERT.format(name))) for name in (MARKED, PLAIN)}
    rows.append(
        row(
            "asyncpg",
            lambda table: loop.run_until_complete(statements[table].fetch()),
            raw.get_server_pid(),
            suite,
            blocks,
        )
    )
    loop.run_until_complete(raw.close())
    loop.close()
    suite.close()
    header = (
        "insert of one row",
        "ms without",
        "times with the trigger",
        "µs dearer",
        "µs of processor time",
        "expected",
    )
    table("a write, with and without the trigger", header, rows)


if __name__ == "__main__":
    machine()
    with cache():
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
    load()
