"""Loops that live side by side and share engines: a session's loop and each test's own, nested loops, portals."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable, Iterator

import psycopg
import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from pytest_crucible.redirect import Redirect

from .conftest import NOWHERE

PID = text("select pg_backend_pid()")
DRIVERS = pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
OPTIONS: dict[str, dict[str, object]] = {
    "plain": {},
    "ping": {"pool_pre_ping": True},
    "narrow": {"pool_size": 1, "max_overflow": 0},
    "recycle": {"pool_recycle": 3600},
}

Make = Callable[[str], AsyncEngine]


async def pid_of(engine: AsyncEngine) -> int:
    """Return the backend that *engine* hands out."""
    async with engine.connect() as connection:
        return await connection.scalar(PID)


@pytest.fixture
def long_lived(redirect: Redirect) -> Iterator[asyncio.AbstractEventLoop]:
    """Yield a loop that lives longer than others, as that of a session."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()
    gc.collect()


@DRIVERS
@pytest.mark.parametrize("kind", OPTIONS)
def test_side_by_side(
    redirect: Redirect,
    long_lived: asyncio.AbstractEventLoop,
    driver: str,
    kind: str,
    control: psycopg.Connection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One engine on a long-lived loop and on short ones in turn: no error, no complaint, no pile of connections."""
    engine = create_async_engine(f"postgresql+{driver}://{NOWHERE}", **OPTIONS[kind])
    pids = set()
    for _ in range(6):
        pids.add(long_lived.run_until_complete(pid_of(engine)))
        pids.add(asyncio.run(pid_of(engine)))
    long_lived.run_until_complete(pid_of(engine))
    alive = control.execute("select count(*) from pg_stat_activity where pid = any(%s)", [list(pids)]).fetchone()[0]
    assert alive <= 2
    assert len(redirect.connections()) == 1
    assert caplog.records == []


@DRIVERS
def test_connections_stay_on_their_loop(redirect: Redirect, long_lived: asyncio.AbstractEventLoop, driver: str) -> None:
    """On one loop the pool keeps its connection from test to test."""
    engine = create_async_engine(f"postgresql+{driver}://{NOWHERE}")
    assert len({long_lived.run_until_complete(pid_of(engine)) for _ in range(5)}) == 1


@DRIVERS
def test_the_end_of_one_loop_spares_the_other(
    redirect: Redirect, long_lived: asyncio.AbstractEventLoop, driver: str
) -> None:
    """What a long-lived loop holds, in use and idle in another engine, survives the end of a short one."""
    engines = [create_async_engine(f"postgresql+{driver}://{NOWHERE}") for _ in range(2)]
    kept = long_lived.run_until_complete(pid_of(engines[1]))

    async def hold() -> int:
        async with engines[0].connect() as connection:
            first = await connection.scalar(PID)
            await asyncio.to_thread(asyncio.run, pid_of(engines[0]))
            assert await connection.scalar(PID) == first
            return first

    assert long_lived.run_until_complete(hold()) in {opened.pid for opened in redirect.connections()}
    long_lived.run_until_complete(pid_of(engines[0]))
    assert long_lived.run_until_complete(pid_of(engines[1])) == kept


@DRIVERS
def test_dispose_on_another_loop(redirect: Redirect, long_lived: asyncio.AbstractEventLoop, driver: str) -> None:
    """The application disposes on one loop what it opened on another that is alive."""
    engine = create_async_engine(f"postgresql+{driver}://{NOWHERE}")
    long_lived.run_until_complete(pid_of(engine))
    asyncio.run(engine.dispose())
    long_lived.run_until_complete(pid_of(engine))


@DRIVERS
def test_a_loop_closed_while_another_runs(redirect: Redirect, driver: str) -> None:
    """A loop closed from inside another still closes what belongs to it."""
    engine = create_async_engine(f"postgresql+{driver}://{NOWHERE}")
    inner = asyncio.new_event_loop()
    inner.run_until_complete(pid_of(engine))

    async def outer() -> None:
        inner.close()
        await pid_of(engine)

    asyncio.run(outer())
    assert redirect.connections() == []


@DRIVERS
def test_portal(redirect: Redirect, driver: str) -> None:
    """A loop in a thread of its own, as Starlette's TestClient has one."""
    from anyio.from_thread import start_blocking_portal

    engine = create_async_engine(f"postgresql+{driver}://{NOWHERE}")
    for _ in range(3):
        with start_blocking_portal() as portal:
            portal.call(pid_of, engine)
        assert redirect.connections() == []


@DRIVERS
def test_closers(redirect: Redirect, driver: str) -> None:
    """What was asked to run at the end of a loop runs there, the last asked first, while connections still work."""
    engine = create_async_engine(f"postgresql+{driver}://{NOWHERE}")
    ran: list[str] = []

    def closer(name: str) -> Callable[[], Awaitable[None]]:
        async def close() -> None:
            await pid_of(engine)
            ran.append(name)

        return close

    async def run() -> None:
        loop = asyncio.get_running_loop()
        redirect.on_loop_end(loop, closer("first"))
        redirect.on_loop_end(loop, closer("second"))
        await pid_of(engine)

    asyncio.run(run())
    assert ran == ["second", "first"]
    loop = asyncio.new_event_loop()
    redirect.on_loop_end(loop, closer("from outside"))
    loop.close()
    assert ran == ["second", "first", "from outside"]
    assert redirect.connections() == []


def test_a_closer_that_fails(redirect: Redirect) -> None:
    """A closer's error reaches who closes the loop, which is closed all the same, with its connections."""
    engine = create_async_engine(f"postgresql+asyncpg://{NOWHERE}")

    async def fail() -> None:
        raise ValueError("closer")

    loop = asyncio.new_event_loop()
    redirect.on_loop_end(loop, fail)
    loop.run_until_complete(pid_of(engine))
    with pytest.raises(ValueError, match="closer"):
        loop.close()
    assert loop.is_closed()
    assert redirect.connections() == []


def test_loops_are_not_kept(redirect: Redirect) -> None:
    """A loop that was watched can be collected."""
    engine = create_async_engine(f"postgresql+asyncpg://{NOWHERE}")
    loop = asyncio.new_event_loop()
    loop.run_until_complete(pid_of(engine))
    loop.close()
    gone = weakref.ref(loop)
    del loop
    gc.collect()
    assert gone() is None


@DRIVERS
def test_a_query_at_the_end(redirect: Redirect, driver: str) -> None:
    """A loop that is closed with a query under way takes no minutes, and leaves nothing behind."""
    engine = create_async_engine(f"postgresql+{driver}://{NOWHERE}")

    async def sleep() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("select pg_sleep(30)"))

    async def run() -> None:
        task = asyncio.create_task(sleep())
        await asyncio.sleep(0.05)
        assert not task.done()

    asyncio.run(asyncio.wait_for(run(), 10))
    assert redirect.connections() == []


async def crowd(engine: AsyncEngine) -> set[int]:
    """Return the backends that five tasks get from *engine* at once: more than a narrow pool has."""
    return set(await asyncio.gather(*(pid_of(engine) for _ in range(5))))


@DRIVERS
def test_waiting_on_two_loops(redirect: Redirect, long_lived: asyncio.AbstractEventLoop, driver: str) -> None:
    """A pool that is waited for on one loop can be waited for on another that is alive, and keeps its connections."""
    engine = create_async_engine(f"postgresql+{driver}://{NOWHERE}", **OPTIONS["narrow"])
    kept = long_lived.run_until_complete(crowd(engine))
    for _ in range(2):
        assert len(asyncio.run(crowd(engine)) | kept) == 2
        assert long_lived.run_until_complete(crowd(engine)) == kept


@DRIVERS
def test_waiting_on_two_loops_at_once(redirect: Redirect, long_lived: asyncio.AbstractEventLoop, driver: str) -> None:
    """A loop does not wait for a connection that another loop has in use."""
    engine = create_async_engine(f"postgresql+{driver}://{NOWHERE}", pool_timeout=5, **OPTIONS["narrow"])

    async def hold() -> None:
        async with engine.connect():
            await asyncio.to_thread(asyncio.run, crowd(engine))
        await crowd(engine)

    long_lived.run_until_complete(hold())


def test_pools_of_two_loops_are_alike(redirect: Redirect, long_lived: asyncio.AbstractEventLoop) -> None:
    """Each loop sees a pool of the engine's own kind and size, with its listeners; outside a loop it is the first."""
    engine = create_async_engine(f"postgresql+asyncpg://{NOWHERE}", pool_size=3)
    before = engine.pool
    connects: list[object] = []

    async def pool_of() -> AsyncAdaptedQueuePool:
        await pid_of(engine)
        assert isinstance(engine.pool, AsyncAdaptedQueuePool)
        return engine.pool

    assert long_lived.run_until_complete(pool_of()) is before
    event.listen(engine.sync_engine, "connect", lambda *_: connects.append(engine))
    other = asyncio.run(pool_of())
    assert other is not before
    assert other.size() == 3
    assert len(connects) == 1
    assert engine.pool is before
    assert engine.execution_options(x=1).pool is before


def test_pools_without_the_redirect(redirect: Redirect, long_lived: asyncio.AbstractEventLoop) -> None:
    """SQLAlchemy keeps an engine's pool in an attribute of the object, which is all that is left afterwards."""
    engine = create_async_engine(f"postgresql+asyncpg://{NOWHERE}")
    redirect.remove()
    try:
        assert "pool" not in vars(Engine)
        assert vars(engine.sync_engine)["pool"] is engine.pool
    finally:
        redirect.install()
