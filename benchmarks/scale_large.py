"""The cost of a template of up to a gigabyte: its build, a clone, a reset, and the image in which it is kept.

Run ``python benchmarks/scale_large.py [megabytes]``. Clones are made in every way that the server has, and in the one
that Crucible chooses.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from figures import judged, load, machine, number, spread, table, timed
from schemas import URL
from sqlalchemy import create_engine, text
from workshop import cache, isolated

from pytest_crucible.control import Admin, templates
from pytest_crucible.control.driver import psycopg, sql
from pytest_crucible.run import Run
from pytest_crucible.settings import Settings

SIZES = (16, 128, 1024)
# The reset of three rows may not depend on the size; and the chosen way to clone may not be slower than another.
RESET_LIMIT, CLONE_LIMIT = 2.0, 1.25
WRITE = "UPDATE t0 SET parent_id = NULL WHERE id IN (5, 50, 500)"
FILE_COPY, WAL_LOG, CLONED = "FILE_COPY", "WAL_LOG", "FILE_COPY by file_copy_method = clone"


class Big:
    """A run on a template with so many megabytes."""

    def __init__(self, megabytes: int) -> None:
        settings = Settings(
            root=Path(__file__).parent,
            metadata=("scale_schemas:tables_3",),
            load=f"scale_schemas:load_megabytes_{megabytes}",
        )
        self.run = Run(settings, f"5ca1e{megabytes:05d}", "main")
        self.run.worker.redirect.install()
        # Before the template is built: its role owns the schema.
        self.engine = create_engine(URL.format(driver="psycopg"))

    def reset(self) -> float:
        """Return the milliseconds of a test's reset after a change of three rows."""
        around = isolated(self.run)
        around.__enter__()
        with self.engine.begin() as connection:
            connection.execute(text(WRITE))
        return timed(lambda: around.__exit__(None, None, None)) * 1000

    def clone(self, admin: Admin, way: str) -> float:
        """Return the seconds of a clone, and drop it."""
        template, name = self.run.worker.main.template, self.run.worker.spare()
        if not way:
            took = timed(lambda: templates.clone(admin, template, name))
        else:
            method = "clone" if way == CLONED else "copy"
            admin._connection.execute(f"SET file_copy_method = {method}")
            strategy = sql.SQL(f"STRATEGY {way.partition(' ')[0]}")
            try:
                took = timed(lambda: admin.create(name, owner=template.owner, template=template.name, clauses=strategy))
            except psycopg.Error:  # the file system cannot share blocks
                took = float("nan")
            admin._connection.execute("RESET file_copy_method")
        admin.drop(name)
        return took


def measure(megabytes: int) -> tuple[float, ...]:
    """Return the seconds of the build and of each clone, the milliseconds of a reset, and the seconds of the image."""
    big = Big(megabytes)
    built = timed(big.run.worker.ready)
    admin = big.run.worker.server.connect()
    size = (admin.size(big.run.worker.main.template.name) or 0) / (1 << 20)
    clones = [min(big.clone(admin, way) for _ in range(3)) for way in ("", FILE_COPY, WAL_LOG, CLONED)]
    resets = [big.reset() for _ in range(30)]
    big.engine.dispose()
    nest = Path(big.run.worker.server.lease().nest)  # type: ignore[attr-defined]
    big.run.close()
    ends = timed(lambda: wait_for_the_end(nest))
    again = Big(megabytes)
    started = timed(again.run.worker.ready)
    assert not again.run.worker.templates.built
    nest = Path(again.run.worker.server.lease().nest)  # type: ignore[attr-defined]
    again.run.close()
    wait_for_the_end(nest)
    return (size, built, *clones, spread(resets).median, ends, started)


def wait_for_the_end(nest: Path) -> None:
    """Wait until the server has ended, and its image is saved."""
    while nest.exists():
        time.sleep(0.01)


def main(largest: int) -> None:
    """Print the table."""
    rows = []
    first = 0.0
    for megabytes in [size for size in SIZES if size <= largest]:
        size, built, chosen, *others, reset, ends, started = measure(megabytes)
        first = first or reset
        fastest = min(each for each in others if each == each)  # noqa: PLR0124 - one that is not a number is left out
        cells = [number(built), number(chosen), *map(number, others), judged(chosen / fastest, CLONE_LIMIT)]
        cells += [number(reset), number(reset / first), judged(reset / first, RESET_LIMIT), number(ends)]
        rows.append((f"{size:,.0f}", *cells, number(started)))
    header = ("MB", "s, build", "s, clone", FILE_COPY, WAL_LOG, CLONED, "expected", "ms, reset", "times the smallest")
    table("a large template", (*header, "expected", "s, image saved", "s, start from it and clone"), rows)


if __name__ == "__main__":
    machine()
    with cache():
        main(int(sys.argv[1]) if len(sys.argv) > 1 else SIZES[-1])
    load()
