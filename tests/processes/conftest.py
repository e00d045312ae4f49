"""A project with two databases, whose tests start processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import inner_project
import pytest

from pytest_crucible.server import lease

CONFIGURATION = inner_project.configuration(
    crucible_app=None, crucible_metadata=["shop:Base"], crucible_databases=["stats=shop:Stats"]
)

SHOP = """
import asyncio
import os

from sqlalchemy import create_engine, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

WHERE = "shop:secret@db.production.invalid"
engine = create_engine(f"postgresql+{os.environ.get('DRIVER', 'psycopg')}://{WHERE}/shop")
stats_engine = create_engine(f"postgresql+psycopg2://{WHERE}/stats")
async_engine = create_async_engine(f"postgresql+{os.environ.get('ASYNC_DRIVER', 'asyncpg')}://{WHERE}/shop")


class Base(DeclarativeBase):
    pass


class Stats(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)


class Day(Stats):
    __tablename__ = "days"
    id: Mapped[int] = mapped_column(primary_key=True)


def add(*_):
    with Session(engine) as session, Session(stats_engine) as stats:
        session.add(Item())
        stats.add(Day())
        session.commit()
        stats.commit()
    return os.getpid()


def add_async(*_):
    async def run():
        async with AsyncSession(async_engine) as session:
            session.add(Item())
            await session.commit()

    asyncio.run(run())


def counts():
    with Session(engine) as session, Session(stats_engine) as stats:
        items = session.scalar(select(func.count()).select_from(Item))
        return items, stats.scalar(select(func.count()).select_from(Day))


def pid():
    with Session(engine) as session:
        return session.scalar(select(func.pg_backend_pid()))
"""


class Shop:
    """The project in a folder of its own, whose runs are processes of their own."""

    def __init__(self, root: Path, cache: Path) -> None:
        self.root = root
        self.environment = inner_project.user_environment() | {"CRUCIBLE_CACHE": str(cache), "PYTHONPATH": str(root)}

    def run(self, tests: str, *arguments: str, **environment: str) -> str:
        """Run *tests*, the text of one module, none of which may fail, and return what the run printed."""
        (self.root / "test_shop.py").write_text(HEAD + tests, "utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.root,
            env=self.environment | environment,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


HEAD = """
import json, multiprocessing, os, signal, subprocess, sys, time
from concurrent.futures import ProcessPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

import shop

FORK = multiprocessing.get_context("fork")

def program(code, *flags, **words):
    return subprocess.run([sys.executable, *flags, "-c", code], check=False, capture_output=True, text=True, **words)
"""


@pytest.fixture(scope="session")
def make_shop(tmp_path_factory: pytest.TempPathFactory, server_cache: Path) -> Iterator[Callable[[], Shop]]:
    """Make the project in its folder, whose server is kept running meanwhile."""
    root = tmp_path_factory.mktemp("shop")
    inner_project.write(root, "pyproject.toml", CONFIGURATION)
    inner_project.write(root, "shop.py", SHOP)
    share = lease("embedded", root=root, cache=server_cache)
    yield lambda: Shop(root, server_cache)
    share.release()


@pytest.fixture
def shop_project(make_shop: Callable[[], Shop]) -> Shop:
    """Return the project."""
    return make_shop()
