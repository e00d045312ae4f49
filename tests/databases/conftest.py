"""A shop with a database for its orders and one for its statistics, whose tests run inside the tests of Crucible."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import inner_project
import psycopg
import pytest

from pytest_crucible.server import Lease, lease

# What lies here and beside the tests of isolation is imported by its plain name.
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "isolation")]

SETTINGS = {
    "strict": None,  # parameters that are equal
    "crucible_app": "shop:app",
    "crucible_metadata": ["shop:Base"],
    "crucible_databases": ["stats=shop:Stats"],
    **inner_project.ONE_LOOP,
}

SHOP = """
from fastapi import FastAPI
from sqlalchemy import create_engine, func, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_async_engine("postgresql+asyncpg://app:secret@db.production.invalid/shop")
stats = create_async_engine("postgresql+asyncpg://app:secret@db.production.invalid/stats")
stats_sync = create_engine("postgresql+psycopg://app:secret@db.production.invalid/stats")


class Base(DeclarativeBase):
    pass


class Stats(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[str]


class Sale(Stats):
    __tablename__ = "sales"
    id: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[str] = mapped_column(unique=True)


app = FastAPI()


@app.post("/orders")
async def order(item: str):
    async with AsyncSession(engine) as session, AsyncSession(stats) as other:
        session.add(Order(item=item))
        other.add(Sale(item=item))
        await session.commit()
        await other.commit()


async def count():
    async with AsyncSession(engine) as session, AsyncSession(stats) as other:
        return (
            await session.scalar(select(func.count()).select_from(Order)),
            await other.scalar(select(func.count()).select_from(Sale)),
        )
"""


class Project:
    """A project in a folder of its own, on a server that is kept running."""

    def __init__(self, root: Path, pytester: pytest.Pytester, number: Callable[[], int], share: Lease) -> None:
        self.root = root
        self.share = share
        self._pytester = pytester
        self._number = number

    def write(self, name: str, text: str) -> None:
        inner_project.write(self.root, name, text)

    def configure(self, text: str = "") -> None:
        """Write settings besides the usual ones; a key that is among these takes its place."""
        lines = [line for line in textwrap.dedent(text).splitlines() if line.strip()]
        keys = {line.partition(" = ")[0]: None for line in lines}
        self.write("pyproject.toml", inner_project.configuration(**(SETTINGS | keys)) + "\n".join(lines))

    def run(self, tests: str, *arguments: str, process: bool = False) -> pytest.RunResult:
        """Run *tests*, the text of one module, with the application's modules imported anew."""
        name = f"test_{self._number()}.py"
        path = inner_project.write(self.root, name, tests)
        try:
            return inner_project.run(self._pytester, self.root, path, *arguments, process=process)
        finally:
            path.unlink()

    def databases(self, pattern: str = "") -> list[str]:
        """Return the names of Crucible's databases on the server."""
        with psycopg.connect(**self.share.admin.libpq(), autocommit=True) as connection:
            names = [name for (name,) in connection.execute("SELECT datname FROM pg_database ORDER BY 1")]
        return [name for name in names if name.startswith("crucible") and pattern in name]

    def ask(self, database: str, query: str) -> list[tuple[object, ...]]:
        """Return what the administrator sees in *database*."""
        with psycopg.connect(**self.share.admin.to(database).libpq(), autocommit=True) as connection:
            return connection.execute(query).fetchall()

    def drop(self, names: list[str]) -> None:
        with psycopg.connect(**self.share.admin.libpq(), autocommit=True) as connection:
            for name in names:
                connection.execute(f"DROP DATABASE {name}")


@pytest.fixture(scope="session")
def shop_server(
    tmp_path_factory: pytest.TempPathFactory, project_server: object, server_cache: Path
) -> Iterator[tuple[Path, Lease]]:
    """Yield a project's folder, and a share in its server."""
    root = tmp_path_factory.mktemp("shop")
    share = lease("embedded", root=root, cache=server_cache)
    yield root, share
    share.release()


@pytest.fixture
def shop(
    shop_server: tuple[Path, Lease],
    server_cache: Path,
    numbers: Callable[[], int],
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
) -> Project:
    """Return the shop, as its developers have it."""
    root, share = shop_server
    for path in root.glob("*.py"):
        path.unlink()
    monkeypatch.setenv("CRUCIBLE_CACHE", str(server_cache))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    made = Project(root, pytester, numbers, share)
    made.configure()
    made.write("shop.py", SHOP)
    return made
