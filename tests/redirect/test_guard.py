"""Engines that go past their dialect, and those that are none of our business."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import psycopg
import psycopg2
import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool, Pool, StaticPool

from pytest_crucible.errors import RedirectError
from pytest_crucible.redirect import Origin, Redirect, Target
from pytest_crucible.server import Address

from .conftest import NOWHERE


class Recorded(psycopg.Cursor):
    """A cursor that notes its statements."""

    statements: list[object] = []  # noqa: RUF012 - emptied by the fixture

    def execute(self, query: object, *args: object, **words: object) -> Recorded:
        self.statements.append(query)
        return super().execute(query, *args, **words)


@pytest.fixture
def statements() -> Iterator[list[object]]:
    """Yield what a recording connection was told."""
    Recorded.statements.clear()
    yield Recorded.statements
    Recorded.statements.clear()


@pytest.mark.parametrize("poolclass", [None, NullPool, StaticPool])
def test_creator(redirect: Redirect, other: Address, statements: list[object], poolclass: type[Pool] | None) -> None:
    """An engine with creator= is refused before its first statement, and its connection is closed."""
    made = []

    def creator() -> psycopg.Connection:
        made.append(psycopg.connect(**other.libpq(), cursor_factory=Recorded))
        return made[-1]

    engine = create_engine("postgresql+psycopg://", creator=creator, poolclass=poolclass)
    event.listen(engine, "first_connect", lambda connection, _: connection.execute("select 'first'"))
    for _ in range(2):
        with pytest.raises(RedirectError, match="past its dialect") as caught:
            engine.connect()
        assert "connect_args" in caught.value.do
    assert statements == []
    assert all(connection.closed for connection in made)
    assert len(made) == 2


def test_the_refusal_closes_the_connection(redirect: Redirect, other: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection is closed by the refusal itself: older versions of SQLAlchemy leave it open."""
    made = []

    def creator() -> psycopg.Connection:
        made.append(psycopg.connect(**other.libpq()))
        return made[-1]

    engine = create_engine("postgresql+psycopg://", creator=creator)
    for word in ("do_close", "do_terminate"):
        monkeypatch.setattr(engine.dialect, word, lambda connection: None)
    with pytest.raises(RedirectError, match="past its dialect"):
        engine.connect()
    assert made[0].closed


def test_creator_psycopg2(redirect: Redirect, other: Address) -> None:
    """The same for psycopg2."""
    engine = create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.connect(**other.libpq()))
    with pytest.raises(RedirectError, match="creator="):
        engine.connect()


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_async_creator(redirect: Redirect, other: Address, driver: str) -> None:
    """An engine with async_creator= is refused, and its connection is closed on its loop."""
    made = []

    async def creator() -> object:
        if driver == "asyncpg":
            connection = await asyncpg.connect(host=other.host, port=other.port, user="app", database="prod")
        else:
            connection = await psycopg.AsyncConnection.connect(**other.libpq())
        made.append(connection)
        return connection

    async def run() -> None:
        with pytest.raises(RedirectError, match="async_creator="):
            await create_async_engine(f"postgresql+{driver}://", async_creator=creator).connect()
        (connection,) = made
        assert connection.is_closed() if driver == "asyncpg" else connection.closed

    asyncio.run(run())


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_async_creator_fn(redirect: Redirect, driver: str) -> None:
    """The same function in connect_args is refused before it is called."""

    async def creator(**_: object) -> None:
        pytest.fail("called")

    async def run() -> None:
        engine = create_async_engine(f"postgresql+{driver}://{NOWHERE}", connect_args={"async_creator_fn": creator})
        with pytest.raises(RedirectError, match="async_creator_fn"):
            await engine.connect()

    asyncio.run(run())


def test_listener_that_connects(target: list[Target], other: Address, statements: list[object]) -> None:
    """A do_connect listener that connects by itself, before Crucible's, is refused before the first statement."""

    def connect(*_: object) -> psycopg.Connection:
        return psycopg.connect(**other.libpq(), cursor_factory=Recorded)

    redirect = Redirect(lambda origin: target[0])
    event.listen(Engine, "do_connect", connect)
    redirect.install()
    try:
        with pytest.raises(RedirectError, match="do_connect"):
            create_engine(f"postgresql+psycopg://{NOWHERE}").connect()
    finally:
        redirect.remove()
        event.remove(Engine, "do_connect", connect)
    assert statements == []


def test_listener_of_an_engine(redirect: Redirect, engine: Engine) -> None:
    """A do_connect listener of one engine is never asked: Crucible's has connected."""
    event.listen(engine, "do_connect", lambda *_: pytest.fail("asked"))
    with engine.connect() as connection:
        assert connection.scalar(text("select 1")) == 1


def test_unknown_driver(redirect: Redirect) -> None:
    """A PostgreSQL driver that cannot be redirected is refused, and the error names those that can."""
    pytest.importorskip("pg8000")
    with pytest.raises(RedirectError, match="pg8000") as caught:
        create_engine(f"postgresql+pg8000://{NOWHERE}").connect()
    assert "asyncpg, psycopg, psycopg2" in caught.value.why


def test_other_databases(redirect: Redirect, origins: list[Origin]) -> None:
    """An engine that does not speak PostgreSQL is left alone, with its creator."""
    import sqlite3

    for options in ({}, {"creator": lambda: sqlite3.connect(":memory:")}):
        engine = create_engine("sqlite://", **options)
        with engine.connect() as connection:
            assert connection.scalar(text("select 1")) == 1
        engine.dispose()
    assert origins == []


def test_another_dialect_over_the_same_driver(
    redirect: Redirect, other: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that only borrows a PostgreSQL driver, as CockroachDB does, is left alone."""
    engine = create_engine(other.to("postgres", user="crucible_admin").url("postgresql+psycopg"), poolclass=NullPool)
    monkeypatch.setattr(engine.dialect, "name", "cockroachdb")
    with engine.connect() as connection:
        assert connection.scalar(text("show port")) == str(other.port)


def test_a_pool_that_keeps_its_record(redirect: Redirect) -> None:
    """A pool class of the application's own may connect without telling its record."""

    class Own(NullPool):
        def __init__(self, creator: Callable[..., object], **words: object) -> None:
            super().__init__(lambda: creator(), **words)  # noqa: PLW0108 - it takes no record

        def recreate(self) -> Own:
            return self

    engine = create_engine(f"postgresql+psycopg://{NOWHERE}", poolclass=Own)
    for _ in range(2):
        with engine.connect() as connection:
            (opened,) = redirect.connections()
            assert connection.scalar(text("select pg_backend_pid()")) == opened.pid
        redirect.after_test()
        assert redirect.connections() == []


def test_opened_before(address: Address, other: Address, target: list[Target]) -> None:
    """A connection opened before the redirect was installed is not handed out after it."""
    engine = create_engine(other.to("prod", user="app").url("postgresql+psycopg"))
    redirect = Redirect(lambda origin: target[0])
    with engine.connect() as connection:
        assert connection.scalar(text("select current_database()")) == "prod"
    redirect.install()
    try:
        with engine.connect() as connection:
            assert connection.scalar(text("select current_database()")) == address.database
    finally:
        engine.dispose()
        redirect.remove()


def test_engines_created_before(target: list[Target]) -> None:
    """An engine created before the redirect was installed is led away; after remove() it is not."""
    engine = create_engine(f"postgresql+psycopg://{NOWHERE}")
    redirect = Redirect(lambda origin: target[0])
    for _ in range(2):  # again is as good as once
        redirect.install()
    with engine.connect() as connection:
        assert connection.scalar(text("select 1")) == 1
    redirect.close()
    for _ in range(2):
        redirect.remove()
    with pytest.raises(psycopg.OperationalError, match=r"nowhere\.invalid|not known"):
        engine.raw_connection()


def test_service_returns(redirect: Redirect, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PGSERVICE is hidden from libpq only while the redirect is there."""
    path = tmp_path / "services"
    path.write_text("[prod]\nhost=/gone/away\n")
    monkeypatch.setenv("PGSERVICEFILE", str(path))
    monkeypatch.setenv("PGSERVICE", "prod")
    engine.connect().close()
    assert os.environ["PGSERVICE"] == "prod"
    redirect.remove()
    with pytest.raises(psycopg.OperationalError, match="/gone/away"):
        psycopg.connect()
