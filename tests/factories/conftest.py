"""A project with models and factories of its own, in one folder and so on one server for all these tests."""

from __future__ import annotations

import importlib
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import inner_project
import pytest

from pytest_crucible.server import Lease, lease

# Imported once, or each run inside would have its own.
MODULES = """
asyncpg faker psycopg psycopg2 polyfactory.factories.pydantic_factory polyfactory.factories.sqlalchemy_factory
pytest_asyncio pytest_crucible.factories.polyfactory.binding pytest_crucible.factories.bulk.bulk
pytest_crucible.fixtures.with_anyio pytest_crucible.fixtures.with_asyncio
sqlalchemy.dialects.postgresql.asyncpg sqlalchemy.dialects.postgresql.psycopg sqlalchemy.ext.asyncio
"""

CONFIGURATION = inner_project.configuration(
    crucible_app=None, crucible_metadata=["shop:Base"], crucible_no_database=["unit"], **inner_project.ONE_LOOP
)

SHOP = (
    inner_project.ENGINE
    + """
import enum
import uuid
from datetime import datetime
from decimal import Decimal

from sqlalchemy import (
    ARRAY, BigInteger, CheckConstraint, Computed, DateTime, Enum, ForeignKey, ForeignKeyConstraint, Identity, Index,
    LargeBinary, Numeric, SmallInteger, String, UniqueConstraint, func, text,
)
from sqlalchemy.dialects.postgresql import INT4RANGE, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str] = mapped_column(String(20), unique=True)
    balance: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    created: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    posts: Mapped[list["Post"]] = relationship(back_populates="author")


class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    author: Mapped[User] = relationship(back_populates="posts")
"""
)

FACTORIES = """
from polyfactory.factories.sqlalchemy_factory import SQLAlchemyFactory

import shop


class UserFactory(SQLAlchemyFactory[shop.User]):
    __async_session__ = None  # as the well-known recipe has it
    __set_relationships__ = False


class PostFactory(SQLAlchemyFactory[shop.Post]):
    pass
"""


class Shop:
    """The project: its tests run in this process, or in one of their own."""

    def __init__(self, root: Path, pytester: pytest.Pytester) -> None:
        self.root = root
        self._pytester = pytester

    def run(self, tests: str, *arguments: str, process: bool = False, name: str = "test_shop.py") -> pytest.RunResult:
        """Run *tests*, the text of one module."""
        path = inner_project.write(self.root, name, tests)
        return inner_project.run(self._pytester, self.root, path, *arguments, process=process)


@pytest.fixture(scope="session")
def shop_server(tmp_path_factory: pytest.TempPathFactory, server_cache: Path) -> Iterator[tuple[Path, Lease]]:
    """Yield a project's folder, and a share in its server."""
    for name in MODULES.split():
        importlib.import_module(name)
    root = tmp_path_factory.mktemp("shop")
    share = lease("embedded", root=root, cache=server_cache)
    yield root, share
    share.release()


@pytest.fixture
def make_shop(
    shop_server: tuple[Path, Lease], server_cache: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Shop]:
    """Return the project, with further models and factories."""
    root, _ = shop_server
    monkeypatch.setenv("CRUCIBLE_CACHE", str(server_cache))
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)

    def make(models: str = "", factories: str = "", configuration: str = "") -> Shop:
        for path in [*root.glob("*.py"), *root.glob("unit/*.py")]:
            path.unlink()
        inner_project.write(root, "pyproject.toml", CONFIGURATION + configuration)
        inner_project.write(root, "shop.py", SHOP + textwrap.dedent(models))
        inner_project.write(root, "factories.py", FACTORIES + textwrap.dedent(factories))
        return Shop(root, pytester)

    return make


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    """Return the project as it is above."""
    return make_shop()
