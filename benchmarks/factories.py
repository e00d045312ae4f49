"""The cost of storing a batch of a factory's objects: Polyfactory's own way, Crucible's, Core, and COPY.

Run ``python benchmarks/factories.py [blocks]``: the same rows over asyncpg, in turns, each followed by a TRUNCATE that
is not counted. The drawing is most of it, and the same for all; the second table leaves it out. Measured is the
processor time of client and server: by the clock, a busy machine adds its own.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from datetime import datetime
from decimal import Decimal
from typing import Any

from figures import Block, interleaved, load, machine, milliseconds, ratio, table
from isolation import Suite
from polyfactory.factories.sqlalchemy_factory import SQLAlchemyFactory
from processor import Both
from sqlalchemy import DateTime, Numeric, String, insert, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from workshop import cache

from pytest_crucible import bulk_create
from pytest_crucible.factories import Factories, FactoryScope
from pytest_crucible.factories.bulk.bulk import _store
from pytest_crucible.factories.polyfactory.storing import store

ROWS = 1000
COLUMNS = ("name", "email", "city", "balance", "visits", "active", "joined")
Act = Callable[[], Coroutine[Any, Any, object]]


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    email: Mapped[str] = mapped_column(String(100), unique=True)
    city: Mapped[str] = mapped_column(String(50))
    balance: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    visits: Mapped[int]
    active: Mapped[bool]
    joined: Mapped[datetime] = mapped_column(DateTime(timezone=True))


def row_of(one: Customer) -> dict[str, Any]:
    """Return the row that Core inserts for one object."""
    return {name: getattr(one, name) for name in COLUMNS}


class Bench:
    """A session on a worker database, and the acts to measure on it.

    Args:
        loop: Where everything runs.
        session: The session.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, session: AsyncSession) -> None:
        self.loop = loop
        self.session = session
        self.backend = loop.run_until_complete(session.scalar(text("SELECT pg_backend_pid()")))
        self.clock = Both(self.backend).of
        self.ours = SQLAlchemyFactory.create_factory(Customer)
        # A session that the user assigns is stored with as Polyfactory does it: a refresh for each row.
        self.theirs = SQLAlchemyFactory.create_factory(Customer, __async_session__=session)

    def timed(self, act: Act, *, drawn: bool) -> Callable[[], float]:
        """Return the time of *act*, the table empty before it; with objects in hand already if *drawn*."""

        def measure() -> float:
            self.loop.run_until_complete(self._empty())
            self.objects = self.ours.batch(ROWS) if drawn else []
            return self.clock(lambda: self.loop.run_until_complete(act()))

        return measure

    async def _empty(self) -> None:
        await self.session.execute(text("TRUNCATE customers"))
        await self.session.commit()
        self.session.expunge_all()

    async def core(self) -> None:
        await self._insert(self.ours.batch(ROWS))

    async def _insert(self, objects: list[Customer]) -> None:
        await self.session.execute(insert(Customer), [row_of(one) for one in objects])
        await self.session.commit()

    async def stored_by_core(self) -> None:
        await self._insert(self.objects)

    async def stored_by_us(self) -> None:
        await self.session.run_sync(store, self.objects, True)

    async def stored_by_polyfactory(self) -> None:
        self.session.add_all(self.objects)
        await self.session.commit()
        for one in self.objects:
            await self.session.refresh(one)

    async def copied(self) -> None:
        await self.session.run_sync(_store, self.objects)
        await self.session.commit()

    async def draw(self) -> None:
        self.ours.batch(ROWS)


def show(title: str, blocks: list[Block]) -> None:
    """Print one table."""
    rows = [(name, milliseconds(blocks, name), ratio(blocks, name, "Core insert")) for name in blocks[0]]
    table(title, (f"{ROWS:,} rows", "ms of processor time", "times Core insert"), rows)


def measure(bench: Bench, blocks: int) -> None:
    """Measure and print."""
    whole: dict[str, Act] = {
        "Core insert": bench.core,
        "create_batch_async, Polyfactory's own": lambda: bench.theirs.create_batch_async(ROWS),
        "create_batch_async": lambda: bench.ours.create_batch_async(ROWS),
        "bulk_create": lambda: bulk_create(bench.ours, ROWS),
        "drawing alone": bench.draw,
    }
    stored: dict[str, Act] = {
        "Core insert": bench.stored_by_core,
        "create_batch_async, Polyfactory's own": bench.stored_by_polyfactory,
        "create_batch_async": bench.stored_by_us,
        "bulk_create": bench.copied,
    }
    for title, acts, drawn in (("drawn and stored", whole, False), ("stored", stored, True)):
        clocks = {name: bench.timed(act, drawn=drawn) for name, act in acts.items()}
        show(title, interleaved(clocks, blocks=blocks, rounds=2))


async def begin(url: str) -> AsyncSession:
    """Yield a session on the database, with the table made."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    return AsyncSession(engine, expire_on_commit=False)


def main(blocks: int) -> None:
    """Print the tables."""
    suite = Suite(40, seeded=False)
    loop = asyncio.new_event_loop()
    session = loop.run_until_complete(begin(suite.run.worker.address().url("postgresql+asyncpg")))
    factories = Factories(suite.run.settings)
    factories.begin()
    with factories.at(FactoryScope("benchmark", lambda: session, lambda: None)):
        measure(Bench(loop, session), blocks)
    factories.close()
    loop.run_until_complete(session.bind.dispose())
    suite.run.close()


if __name__ == "__main__":
    with cache():
        machine()
        main(int(sys.argv[1]) if sys.argv[1:] else 10)
        load()
