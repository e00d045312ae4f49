"""What the redirect knows of its connections, and which it no longer hands out."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import psycopg
import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session

from pytest_crucible.errors import RedirectError
from pytest_crucible.redirect import OUTSIDE, Origin, Redirect, Target
from pytest_crucible.server import Address

from .conftest import NOWHERE

PID = text("select pg_backend_pid()")
ASYNC = pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])


def pid_of(engine: Engine) -> int:
    """Return the backend that *engine* hands out."""
    with engine.connect() as connection:
        return connection.scalar(PID)


def altered(redirect: Redirect) -> set[int]:
    """Return the backends of live connections whose session state differs from that at their first checkout."""
    return {entry.pid for entry in redirect._registry.live() if entry.is_altered}


def alive(control: psycopg.Connection, pid: int) -> bool:
    """Whether a backend is there."""
    return control.execute("select count(*) from pg_stat_activity where pid = %s", [pid]).fetchone()[0] == 1


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_a_synchronous_connection(redirect: Redirect, driver: str, origins: list[Origin]) -> None:
    """Process, driver, generation, place and whether it is in use are known; after dispose() nothing is left."""
    engine = create_engine(f"postgresql+{driver}://{NOWHERE}")
    with Session(engine) as session:
        pid = session.scalar(PID)
        (opened,) = redirect.connections()
        assert (opened.pid, opened.driver, opened.loop, opened.generation) == (pid, driver, None, 1)
        assert opened.checked_out
        assert opened.location.startswith("tests/redirect/test_connections.py:")
        assert opened.location.endswith(" in test_a_synchronous_connection")
    assert origins[0] == Origin(driver, "app", "prod")
    assert not redirect.connections()[0].checked_out
    assert redirect.loops() == set()
    engine.dispose()
    assert redirect.connections() == []


@ASYNC
def test_an_asynchronous_connection(redirect: Redirect, driver: str) -> None:
    """The same on an event loop; the place is found beyond SQLAlchemy's greenlet; at the loop's end nothing is left."""

    async def run() -> None:
        engine = create_async_engine(f"postgresql+{driver}://{NOWHERE}")
        async with engine.connect() as connection:
            pid = await connection.scalar(PID)
            (opened,) = redirect.connections()
            assert (opened.pid, opened.driver, opened.loop) == (pid, driver, asyncio.get_running_loop())
            assert opened.location.endswith(" in run")
            assert redirect.loops() == {opened.loop}

    asyncio.run(run())
    assert redirect.connections() == []


def test_owner(redirect: Redirect, engine: Engine) -> None:
    """The owner is that of the code that checks out: a fixture, a test, or code outside the tests."""
    with redirect.owned_by("catalogue"):
        pid_of(engine)
    assert redirect.connections()[0].owner == "catalogue"
    redirect.begin_test()
    pid_of(engine)
    assert redirect.connections()[0].owner is None
    redirect.end_test()
    pid_of(engine)
    assert redirect.connections()[0].owner == OUTSIDE


def test_owner_of_tasks(redirect: Redirect) -> None:
    """A task that was created under an owner keeps it."""
    engine = create_async_engine(f"postgresql+asyncpg://{NOWHERE}")

    async def hold(started: asyncio.Event) -> None:
        await asyncio.sleep(0)
        async with engine.connect() as connection:
            await connection.execute(text("select 1"))
            started.set()
            await asyncio.sleep(30)

    async def run() -> None:
        started = asyncio.Event()
        with redirect.owned_by("lifespan"):
            task = asyncio.create_task(hold(started))
        await started.wait()
        (opened,) = redirect.connections()
        assert opened.owner == "lifespan"
        task.cancel()

    asyncio.run(run())


def test_condemned(redirect: Redirect, engine: Engine) -> None:
    """A condemned connection is not handed out again; the others are."""
    pid = pid_of(engine)
    redirect.condemn([pid + 1])
    assert pid_of(engine) == pid
    redirect.condemn([pid])
    assert pid_of(engine) != pid


def test_generation(redirect: Redirect, engine: Engine, target: list[Target], address: Address) -> None:
    """A connection to an earlier clone is not handed out; an equal target is the same clone."""
    pid = pid_of(engine)
    target[0] = Target(address, 1)
    assert pid_of(engine) == pid
    target[0] = Target(address, 2)
    assert pid_of(engine) != pid
    assert [opened.generation for opened in redirect.connections()] == [2]


def test_a_killed_backend(redirect: Redirect, engine: Engine, control: psycopg.Connection) -> None:
    """Within a test a killed backend shows, as in production; between tests it is found."""
    pid = pid_of(engine)
    control.execute("select pg_terminate_backend(%s, 1000)", [pid])
    with pytest.raises(Exception, match="terminat"):
        pid_of(engine)
    pid = pid_of(engine)
    control.execute("select pg_terminate_backend(%s, 1000)", [pid])
    redirect.after_test()
    assert pid_of(engine) != pid


def test_an_idle_backend_with_something_to_say(redirect: Redirect, engine: Engine, control: psycopg.Connection) -> None:
    """A notification that arrives is no sign of death."""
    with engine.connect() as connection:
        # Past the driver's classes: with a state that was altered it would be retired.
        connection.connection.driver_connection.pgconn.exec_(b"LISTEN news")
        pid = connection.scalar(PID)
    control.execute("notify news")
    redirect.after_test()
    assert pid_of(engine) == pid


def test_forbidden(redirect: Redirect, engine: Engine) -> None:
    """While the database is forbidden, connecting, checking out and executing fail with the text given."""
    held = engine.connect()
    redirect.prohibition.set("No database in tests/unit.")
    with held, pytest.raises(RedirectError, match=r"No database in tests/unit\."):
        held.execute(PID)
    fresh = create_engine(f"postgresql+psycopg://{NOWHERE}")
    for each in (engine, fresh):
        with pytest.raises(RedirectError, match=r"No database in tests/unit\."):
            each.connect()
    with redirect.owned_by("lifespan"):  # whose tasks go on while a test may not
        pid_of(engine)
    redirect.prohibition.set(None)
    pid_of(engine)


def test_forbidden_ends_with_the_redirect(redirect: Redirect) -> None:
    """No listener stays behind."""
    redirect.prohibition.set("No.")
    redirect.remove()
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        assert connection.scalar(text("select 1")) == 1
    engine.dispose()


@ASYNC
def test_forbidden_on_another_loop(redirect: Redirect, driver: str, caplog: pytest.LogCaptureFixture) -> None:
    """The same for a connection of a loop that is gone, without a complaint of the pool."""
    engine = create_async_engine(f"postgresql+{driver}://{NOWHERE}")

    async def run() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("select 1"))

    asyncio.run(run())
    redirect.prohibition.set("No.")
    with pytest.raises(RedirectError, match=r"No\."):
        asyncio.run(run())
    assert caplog.records == []


def test_lead(redirect: Redirect, engine: Engine, address: Address, control: psycopg.Connection) -> None:
    """Under a lead everything goes there, nested; afterwards nothing made there is left or handed out."""
    control.execute("drop database if exists inner_template")
    control.execute("create database inner_template")
    inner = address.to("inner_template")
    name = text("select current_database()")
    with redirect.lead_to(address.to("template1")):
        with redirect.lead_to(inner), engine.connect() as connection:
            assert connection.scalar(name) == "inner_template"
            assert redirect.connections()[0].generation < 0
            pid = connection.scalar(PID)
        with engine.connect() as connection:
            assert connection.scalar(name) == "template1"
    for _ in range(100):
        if not alive(control, pid):
            break
    control.execute("drop database inner_template")
    with engine.connect() as connection:
        assert connection.scalar(name) == address.database


@ASYNC
def test_lead_on_a_loop(redirect: Redirect, driver: str, address: Address) -> None:
    """The same from within a running loop, whose connections made meanwhile are closed when it goes on."""
    engine = create_async_engine(f"postgresql+{driver}://{NOWHERE}")
    name = text("select current_database()")

    async def run() -> None:
        with redirect.lead_to(address.to("template1")):
            async with engine.connect() as connection:
                assert await connection.scalar(name) == "template1"
        await asyncio.sleep(0)
        assert redirect.connections() == []
        async with engine.connect() as connection:
            assert await connection.scalar(name) == address.database

    asyncio.run(run())


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_listen(redirect: Redirect, driver: str) -> None:
    """A connection on which LISTEN ran is known, through SQLAlchemy or past it, with the application's own cursors."""
    if driver == "psycopg2":
        from psycopg2.extras import NamedTupleCursor as Own
    else:
        from psycopg import ClientCursor as Own
    for arguments in ({}, {"cursor_factory": Own}):
        engine = create_engine(f"postgresql+{driver}://{NOWHERE}", connect_args=arguments)
        pid = pid_of(engine)
        assert altered(redirect) == set()
        with engine.connect() as connection:
            connection.execute(text("\n  listen news"))
            connection.commit()
        assert altered(redirect) == {pid}
        redirect.condemn([pid])
        with engine.connect() as connection, connection.connection.driver_connection.cursor() as cursor:
            assert isinstance(cursor, Own) or not arguments
            assert altered(redirect) == set()
            cursor.execute("listen news")
            assert len(altered(redirect)) == 1
        engine.dispose()


@ASYNC
def test_listen_on_a_loop(redirect: Redirect, driver: str) -> None:
    """The same for asynchronous drivers."""
    engine = create_async_engine(f"postgresql+{driver}://{NOWHERE}")

    async def run() -> None:
        for past in (False, True):
            async with engine.connect() as connection:
                raw = (await connection.get_raw_connection()).driver_connection
                assert altered(redirect) == set()
                await (raw.execute("listen news") if past else connection.execute(text("listen news")))
                await connection.commit()
                (pid,) = altered(redirect)
            redirect.condemn([pid])

    asyncio.run(run())


@pytest.mark.parametrize("own_class", [False, True])
def test_listen_by_callback(redirect: Redirect, own_class: bool) -> None:
    """asyncpg's own way is noticed too, and works, with a connection class of the application's too."""

    class Own(asyncpg.Connection):
        pass

    arguments = {"connection_class": Own} if own_class else {}
    engine = create_async_engine(f"postgresql+asyncpg://{NOWHERE}", connect_args=arguments)

    async def run() -> None:
        async with engine.connect() as connection:
            raw = (await connection.get_raw_connection()).driver_connection
            assert isinstance(raw, Own if own_class else asyncpg.Connection)
            heard: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            await raw.add_listener("news", lambda *message: heard.set_result(message[-1]))
            await raw.execute("notify news, 'hello'")
            assert await asyncio.wait_for(heard, 5) == "hello"
            assert altered(redirect) == {raw.get_server_pid()}

    asyncio.run(run())


@ASYNC
def test_a_forgotten_engine(redirect: Redirect, driver: str, control: psycopg.Connection) -> None:
    """An engine dropped without dispose() on a loop that goes on does not keep its connections."""

    async def once() -> None:
        async with create_async_engine(f"postgresql+{driver}://{NOWHERE}").connect() as connection:
            await connection.execute(text("select 1"))

    async def run() -> None:
        for _ in range(5):
            await once()
        gc.collect()
        await asyncio.sleep(0.05)
        gc.collect()
        assert redirect.connections() == []

    asyncio.run(run())


@ASYNC
def test_a_detached_connection(redirect: Redirect, driver: str) -> None:
    """A detached connection is not taken for a forgotten one, and the end of the loop closes it."""
    engine = create_async_engine(f"postgresql+{driver}://{NOWHERE}")

    async def run(end: Callable[[object], Awaitable[None]]) -> None:
        connection = await engine.raw_connection()
        raw = connection.driver_connection
        connection.detach()
        await engine.dispose()
        gc.collect()
        await asyncio.sleep(0)
        await raw.execute("select 1")
        assert len(redirect.connections()) == 1
        await end(raw)

    async def close(raw: object) -> None:
        await raw.close()

    async def leave(raw: object) -> None:
        """Leave it to the end of the loop."""

    for end in (close, leave):
        asyncio.run(run(end))
        assert redirect.connections() == []


def test_threads(redirect: Redirect, target: list[Target], address: Address) -> None:
    """Many threads use one engine while generations change, connections are condemned and asked for."""
    engine = create_engine(f"postgresql+psycopg://{NOWHERE}", pool_size=8)
    counts = [0] * 6
    over = threading.Event()

    def work(number: int) -> None:
        while not over.is_set():
            pid_of(engine)
            counts[number] += 1

    def each_has_worked() -> None:
        before = list(counts)
        while not (over.is_set() or all(now > then + 1 for now, then in zip(counts, before, strict=True))):
            assert not any(work.done() for work in works)
            redirect.connections()
            over.wait(0.001)

    with ThreadPoolExecutor(6) as threads:
        works = [threads.submit(work, number) for number in range(6)]
        try:
            for generation in range(2, 5):
                target[0] = Target(address, generation)
                each_has_worked()
                redirect.condemn(opened.pid for opened in redirect.connections()[:3])
                redirect.after_test()
                each_has_worked()
        finally:
            over.set()
        assert [work.result() for work in works] == [None] * 6
    engine.dispose()
    assert redirect.connections() == []


def test_the_target_is_asked_by_one_at_a_time(address: Address) -> None:
    """While the first call builds the database, all other connections wait for it."""
    inside = []

    def build(origin: Origin) -> Target:
        inside.append(1)
        assert len(inside) == 1
        threading.Event().wait(0.02)
        inside.pop()
        return Target(address, 1)

    redirect = Redirect(build)
    redirect.install()
    try:
        with ThreadPoolExecutor(4) as threads:
            engines = [create_engine(f"postgresql+psycopg://{NOWHERE}") for _ in range(4)]
            assert len(set(threads.map(pid_of, engines))) == 4
    finally:
        redirect.close()
        redirect.remove()


def test_close(redirect: Redirect) -> None:
    """At the end of the run nothing is open, not even on a loop that was never closed."""
    loop = asyncio.new_event_loop()
    engines = [create_async_engine(f"postgresql+{driver}://{NOWHERE}") for driver in ("asyncpg", "psycopg")]
    forgotten = create_engine(f"postgresql+psycopg2://{NOWHERE}")
    pid_of(forgotten)

    async def run() -> None:
        for engine in engines:
            async with engine.connect() as connection:
                await connection.execute(text("select 1"))

    loop.run_until_complete(run())
    assert len(redirect.connections()) == 3
    redirect.close()
    assert redirect.connections() == []
    loop.close()
