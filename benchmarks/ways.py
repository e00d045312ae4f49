"""Ways to isolate a test, each in a process of its own: Crucible redirects every engine of its process.

Every way runs the same test on the same server: an ``AsyncSession`` inserts a row into each of some tables in a
chain of foreign keys, commits, and reads one back. What surrounds that is the way's own.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import processor
import psycopg
import schemas
from schemas import URL
from sqlalchemy import MetaData, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool
from workshop import isolated

from pytest_crucible.run import Run
from pytest_crucible.server import lease
from pytest_crucible.settings import Settings

ROOT = Path(__file__).parent
BARE = "no isolation"
SEED = "the seed's conftest"
TURN_SECONDS = 0.6


async def work(session: AsyncSession, metadata: MetaData, dirty: int) -> None:
    """Do the work of every test."""
    name = uuid.uuid4().hex
    table = metadata.tables["t0"]
    for number in range(dirty):
        table = metadata.tables[f"t{number}"]
        await session.execute(insert(table).values(name=name))
    await session.commit()
    assert bool(await session.scalar(select(table.c.id).where(table.c.name == name))) is bool(dirty)


@dataclass(frozen=True)
class Turn:
    """Some tests in a row.

    Attributes:
        isolation: What set-up and putting back took in each test, in seconds.
        whole: What each test took.
        processor: The processor time of a test, on average.
    """

    isolation: list[float]
    whole: list[float]
    processor: float


class Way:
    """One way to isolate; this one does not.

    Args:
        schema: The name of the metadata in `schemas`.
        dirty: To how many tables a test writes.
    """

    pool: ClassVar[dict[str, object]] = {}

    def __init__(self, schema: str, dirty: int) -> None:
        self.schema = schema
        self.dirty = dirty
        self.metadata: MetaData = getattr(schemas, schema)
        self.loop = asyncio.new_event_loop()
        self.leave = ExitStack()
        self.open()

    def postmaster(self) -> int:
        """Return the pid of the server."""

        async def ask() -> int:
            async with self.engine.connect() as connection:
                return processor.parent(await connection.scalar(text("SELECT pg_backend_pid()")))

        return self.run(ask())

    def run(self, coroutine: Awaitable[object]) -> object:
        return self.loop.run_until_complete(coroutine)

    def open(self) -> None:
        """Make a database without triggers, and an engine on it, as in a conftest."""
        held = lease("embedded", root=ROOT)
        self.leave.callback(held.release)
        name = f"bench_{type(self).__name__}_{self.schema}_{self.dirty}"
        with psycopg.connect(**held.admin.libpq(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        self.engine: AsyncEngine = create_async_engine(held.admin.to(name).url("postgresql+asyncpg"), **self.pool)
        self.run(self.create())
        self.leave.callback(lambda: self.run(self.engine.dispose()))

    async def create(self) -> None:
        async with self.engine.begin() as connection:
            await connection.run_sync(self.metadata.create_all)

    def turn(self) -> Turn:
        """Run as many tests as fit into a turn; the first one only warms up after other work, and does not count."""
        self.test()
        end = time.perf_counter() + TURN_SECONDS
        began = time.process_time()
        took = [self.test()]
        while time.perf_counter() < end or len(took) < 3:
            took.append(self.test())
        used = (time.process_time() - began) / len(took)
        return Turn([isolation for isolation, _ in took], [whole for _, whole in took], used)

    def test(self) -> tuple[float, float]:
        """Run a test; return the time of its isolation, and of the whole test."""
        began = time.perf_counter()
        around = self.around()
        session = around.__enter__()
        ready = time.perf_counter()
        self.run(work(session, self.metadata, self.dirty))
        done = time.perf_counter()
        around.__exit__(None, None, None)
        end = time.perf_counter()
        return (ready - began) + (end - done), end - began

    @contextmanager
    def around(self) -> Iterator[AsyncSession]:
        """Set up and tear down, each on the loop, as pytest-asyncio runs an asynchronous fixture."""
        fixture = self.fixture()
        yield self.run(anext(fixture))
        self.run(anext(fixture, None))

    async def fixture(self) -> AsyncIterator[AsyncSession]:
        """Isolate a test as this way's fixture does."""
        async with AsyncSession(self.engine, expire_on_commit=False) as session:
            yield session


class Seed(Way):
    """The seed's conftest as written, its rollback moved into the block: after it, it would commit every test."""

    pool: ClassVar[dict[str, object]] = {"poolclass": NullPool}

    async def fixture(self) -> AsyncIterator[AsyncSession]:
        async with self.engine.connect() as connection, connection.begin() as transaction:
            session = AsyncSession(connection, expire_on_commit=False, join_transaction_mode="create_savepoint")
            yield session
            await session.close()
            await transaction.rollback()


class Pooled(Seed):
    """The seed's conftest, with a connection that stays open."""

    pool: ClassVar[dict[str, object]] = {}


class Cleaning(Way):
    """Statements afterwards."""

    async def clean(self, connection: AsyncConnection) -> None:
        raise NotImplementedError

    async def fixture(self) -> AsyncIterator[AsyncSession]:
        async with AsyncSession(self.engine, expire_on_commit=False) as session:
            yield session
        async with self.engine.begin() as connection:
            await self.clean(connection)


class Truncate(Cleaning):
    """TRUNCATE of everything."""

    async def clean(self, connection: AsyncConnection) -> None:
        await connection.execute(text(f"TRUNCATE {', '.join(self.metadata.tables)} RESTART IDENTITY CASCADE"))


class Delete(Cleaning):
    """DELETE from every table, children first; sequences go on."""

    async def clean(self, connection: AsyncConnection) -> None:
        for table in reversed(self.metadata.sorted_tables):
            await connection.execute(table.delete())


class CreateDrop(Cleaning):
    """All tables are dropped, and created anew."""

    async def clean(self, connection: AsyncConnection) -> None:
        await connection.run_sync(self.metadata.drop_all)
        await connection.run_sync(self.metadata.create_all)


class Reset(Way):
    """Crucible's reset isolation, with the application's own engine."""

    isolation = "reset"

    def open(self) -> None:
        self.crucible = Run(Settings(root=ROOT, metadata=(f"schemas:{self.schema}",)), "be9c4a11", self.isolation)
        self.crucible.worker.redirect.install()
        self.crucible.worker.ready()
        self.engine = create_async_engine(URL.format(driver="asyncpg"))
        self.leave.callback(self.crucible.close)
        self.leave.callback(lambda: self.run(self.engine.dispose()))

    @contextmanager
    def around(self) -> Iterator[AsyncSession]:
        with (
            isolated(self.crucible, self.isolation) as test,
            self.crucible.sessions.async_session(self.engine, test) as session,
        ):
            yield session


class Rollback(Reset):
    """Crucible's rollback isolation."""

    isolation = "rollback"


class Clone(Reset):
    """Crucible's clone isolation."""

    isolation = "clone"


WAYS: dict[str, type[Way]] = {
    BARE: Way,
    "reset": Reset,
    "rollback": Rollback,
    "clone": Clone,
    SEED: Seed,
    "the same, pooled": Pooled,
    "DELETE everywhere": Delete,
    "TRUNCATE of everything": Truncate,
    "drop_all, create_all": CreateDrop,
}


class Process:
    """A way in a process of its own."""

    def __init__(self, name: str, schema: str, dirty: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, name, schema, dirty))
        self._process.start()
        theirs.close()
        self.postmaster = self._pipe.recv()

    def turn(self) -> Turn:
        """Run a turn there, and add the server's processor time."""
        began = processor.of_server(self.postmaster)
        self._pipe.send("turn")
        turn: Turn = self._pipe.recv()
        time.sleep(0.01)
        used = processor.of_server(self.postmaster) - began
        return replace(turn, processor=turn.processor + used / (len(turn.whole) + 1))

    def close(self) -> None:
        self._pipe.close()
        self._process.join()


def _serve(pipe, name: str, schema: str, dirty: int) -> None:
    way = WAYS[name](schema, dirty)
    with way.leave:
        pipe.send(way.postmaster())
        while True:
            try:
                pipe.send(getattr(way, pipe.recv())())
            except EOFError:
                return


@contextmanager
def processes(schema: str, dirty: int) -> Iterator[dict[str, Process]]:
    """Every way, each in its process, on one server."""
    held = lease("embedded", root=ROOT)
    ways: dict[str, Process] = {}
    try:
        for name in WAYS:
            ways[name] = Process(name, schema, dirty)
        yield ways
    finally:
        for way in ways.values():
            way.close()
        held.release()


def turns(ways: dict[str, Process], blocks: int) -> list[dict[str, Turn]]:
    """Measure one turn of each way in every block, in a new order each time."""
    return [{name: ways[name].turn() for name in random.sample(list(ways), len(ways))} for _ in range(blocks)]
