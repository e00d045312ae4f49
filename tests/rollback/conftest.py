"""A run of rollback isolation without pytest, and a project in rollback isolation."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from pytest_crucible.run import Run
from pytest_crucible.settings import resolve

MODELS = """
from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    # Two more constraints that can be deferred: one is from the beginning, one only after SET CONSTRAINTS.
    slot: Mapped[int | None]
    rank: Mapped[int | None]
    __table_args__ = (
        UniqueConstraint("slot", name="one_slot", deferrable=True, initially="DEFERRED"),
        UniqueConstraint("rank", name="one_rank", deferrable=True, initially="IMMEDIATE"),
    )


class Entry(Base):
    __tablename__ = "entry"
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", deferrable=True, initially="DEFERRED"))


class Plain(Base):
    __tablename__ = "plain"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
"""

Body = Callable[[AsyncSession], Awaitable[Any]]


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory: pytest.TempPathFactory, server_cache: Path) -> Iterator[Run]:
    """Yield what one pytest process knows of its database; no pytest is involved."""
    root = tmp_path_factory.mktemp("rollback")
    Path(root, "crucible_rollback_models.py").write_text(MODELS, "utf-8")
    file = {"crucible_metadata": ["crucible_rollback_models:Base"], "crucible_isolation": "rollback"}
    before = os.environ.get("CRUCIBLE_CACHE")
    os.environ["CRUCIBLE_CACHE"] = str(server_cache)
    run = Run(resolve(root, flags={}, environ={}, file=file), "rollback", "main")
    try:
        yield run
    finally:
        run.close()
        if before is None:
            del os.environ["CRUCIBLE_CACHE"]
        else:
            os.environ["CRUCIBLE_CACHE"] = before


@pytest.fixture
def run(whole_run: Run) -> Iterator[Run]:
    """Yield the same, with its redirect installed: other tests run pytest, which installs another one."""
    whole_run.worker.redirect.install()
    yield whole_run
    whole_run.worker.redirect.remove()


@pytest.fixture
def models(run: Run) -> Any:
    """Return the tables of that database."""
    run.worker.ready()
    return sys.modules["crucible_rollback_models"]


@pytest.fixture
def count(run: Run) -> Callable[[str], int]:
    """Count the rows of a table that another connection sees."""

    def count(table: str) -> int:
        with psycopg.connect(**run.worker.address().libpq(), autocommit=True) as connection:
            return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]

    return count


@pytest.fixture(params=["asyncpg", pytest.param("psycopg", marks=pytest.mark.slow)])
def engine(request: pytest.FixtureRequest, run: Run) -> Iterator[AsyncEngine]:
    """Yield an engine over each asynchronous driver."""
    engine = create_async_engine(f"postgresql+{request.param}://")
    yield engine
    engine.sync_engine.dispose(close=False)


@pytest.fixture
def rolled_back(run: Run, engine: AsyncEngine, models: Any, count: Callable[[str], int]) -> Iterator[Callable]:
    """Run a coroutine function as a test in rollback isolation; afterwards, nothing is left of it."""

    def test(body: Body, *, isolation: str = "rollback") -> Any:
        loop = asyncio.new_event_loop()
        try:
            with (
                run.isolated(run.new_test("test_x", isolation, keep=False)) as test,
                run.sessions.async_session(engine, test) as session,
            ):
                return loop.run_until_complete(body(session))
        finally:
            loop.close()

    yield test
    assert [count(table) for table in ("account", "entry", "plain")] == [0, 0, 0]
    assert run.worker.redirect.connections() == []


@pytest.fixture(params=["psycopg2", pytest.param("psycopg", marks=pytest.mark.slow)])
def sync_rolled_back(
    request: pytest.FixtureRequest, run: Run, models: Any, count: Callable[[str], int]
) -> Iterator[Callable]:
    """Yield the same with a synchronous session, over each synchronous driver."""
    from sqlalchemy import create_engine

    engine = create_engine(f"postgresql+{request.param}://")

    def test(body: Callable[[Session], Any]) -> Any:
        with (
            run.isolated(run.new_test("test_x", "rollback", keep=False)),
            run.sessions.rollback.sync_session(engine, lambda: False) as session,
        ):
            return body(session)

    yield test
    assert [count(table) for table in ("account", "entry", "plain")] == [0, 0, 0]
    engine.dispose()
