"""The cost of a race: every order of a few statements, and how many orders reduction leaves out.

Run ``python benchmarks/orders.py [rounds]``. The anomalies, and their repaired twins, are those of the tests of `race`.
The time of a race is that of all its orders, with the reset and the checks of each; half of the orders without
reduction are those with more than two switches, where there are many.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from figures import judged, load, machine, number, spread, table
from sqlalchemy import select, text
from workshop import cache, isolated

from pytest_crucible.errors import RaceError
from pytest_crucible.races import Exploration, Race
from pytest_crucible.run import Run
from pytest_crucible.settings import Settings

SHOP = Path(__file__).parent.parent / "tests" / "races" / "projects" / "shop"
TWO_OF_THREE, THREE_OF_THREE = 1.0, 10.0
MOST = 3_000


class Shop:
    """The project whose services race."""

    def __init__(self) -> None:
        sys.path.insert(0, str(SHOP))
        self.run = Run(Settings(root=SHOP, metadata=("models:Base",)), "be9c4a12", "main")
        self.run.worker.redirect.install()
        self.run.worker.ready()

    def race(self, actors: list[Callable[[], Any]], **options: Any) -> Exploration:
        """Let *actors* race from the rows of the tests."""
        with isolated(self.run) as test:
            asyncio.run(self._rows())
            return Race(test, "", 0).run(*actors, **options)

    @staticmethod
    async def _rows() -> None:
        import test_anomalies

        async with test_anomalies.Session() as session:
            await test_anomalies.add_rows(session)

    def updates(self, actor: int) -> Callable[[], Awaitable[None]]:
        """Return an actor that reads twice, writes a row of its own, and commits."""
        import models

        async def run() -> None:
            async with models.Session() as session:
                for account in (1, 2):
                    await session.scalar(select(models.Account.balance).where(models.Account.id == account))
                await session.execute(text(f"UPDATE jobs SET worker = 'x' WHERE id = {actor}"))
                await session.commit()

        return run


def sizes(shop: Shop, rounds: int) -> None:
    """Print the time of all orders of three statements each."""
    rows = []
    for name, actors, options, aim in (
        ("two of three statements, every order", 2, {"reduce": False, "orders": MOST}, TWO_OF_THREE),
        ("two of three statements, reduced", 2, {"orders": MOST}, TWO_OF_THREE),
        ("three of three, at most two switches, reduced", 3, {"switches": 2, "orders": MOST}, THREE_OF_THREE),
        (
            "three of three, at most two switches, each",
            3,
            {"switches": 2, "orders": MOST, "reduce": False},
            THREE_OF_THREE,
        ),
    ):
        explored = [
            shop.race([shop.updates(actor) for actor in range(1, actors + 1)], **options) for _ in range(rounds)
        ]
        seconds = spread([each.seconds for each in explored])
        each = statistics.median(one.seconds / one.orders for one in explored)
        rows.append((name, explored[0].orders, number(each * 1000), seconds, judged(seconds.median, aim)))
    table("orders of three statements and a commit", ("race", "orders", "ms an order", "s", "aim"), rows)


def anomalies(shop: Shop) -> None:
    """Print what was found in each anomaly, and how many orders its repaired twin needs."""
    import test_anomalies

    rows = []
    for name, ((broken, check), (repaired, holds)) in test_anomalies.ANOMALIES.items():
        try:
            shop.race(broken, invariant=check)
            found = "not found"
        except RaceError as error:
            found = error.found.partition("(")[2].partition(" orders")[0]
        every, reduced = (shop.race(repaired, invariant=holds, reduce=reduce, orders=MOST) for reduce in (False, True))
        rows.append((name, found, every.orders, reduced.orders, number(every.seconds), number(reduced.seconds)))
    header = ("anomaly", "found in order", "orders of the repaired one", "reduced", "s", "s reduced")
    table("anomalies, and what reduction leaves out", header, rows)


def main() -> None:
    """Measure."""
    rounds = int(sys.argv[1]) if sys.argv[1:] else 3
    machine()
    with cache():
        shop = Shop()
        try:
            sizes(shop, rounds)
            anomalies(shop)
        finally:
            shop.run.close()
    load()


if __name__ == "__main__":
    main()
