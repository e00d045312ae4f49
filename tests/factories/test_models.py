"""Models that are declared in other ways, and tests that run in other ways."""

from __future__ import annotations

import pytest

MODELS = """
from sqlalchemy import Column, Integer, Table
from sqlalchemy.orm import MappedAsDataclass
from sqlmodel import Field, SQLModel


class Parent(MappedAsDataclass, Base):
    __tablename__ = "parents"
    id: Mapped[int] = mapped_column(init=False, primary_key=True)
    name: Mapped[str]

class Child(MappedAsDataclass, Base):
    __tablename__ = "children"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int] = mapped_column(ForeignKey("parents.id"))
    parent: Mapped[Parent] = relationship()
    note: Mapped[str | None] = mapped_column(default=None)

class Hero(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=10, unique=True)

plain = Table("plains", Base.metadata, Column("id", Integer, primary_key=True), Column("word", String(5), unique=True))
class Plain:
    def __init__(self, **words): self.__dict__.update({}) or [setattr(self, *pair) for pair in words.items()]
Base.registry.map_imperatively(Plain, plain)
"""

TESTS = """
import pytest
from polyfactory.factories.sqlalchemy_factory import SQLAlchemyFactory
from pytest_crucible import bulk_create
from shop import *

@pytest.mark.parametrize("related", [True, False])
@pytest.mark.parametrize("model", [Parent, Child, Hero, Plain])
async def test_one(model, related):
    factory = SQLAlchemyFactory.create_factory(model, __set_relationships__=related)
    first = await factory.create_async()
    assert first.id == 1
    batch = await factory.create_batch_async(5)
    assert [one.id for one in batch] == [2, 3, 4, 5, 6]
    assert await bulk_create(factory, 5) == 5
    assert factory.create_sync().id == 12
"""


@pytest.mark.slow
def test_other_ways_to_declare(make_shop):
    """Dataclasses, SQLModel and imperative mappings."""
    shop = make_shop(MODELS)
    shop.run(TESTS, "--crucible-metadata=shop:Base sqlmodel:SQLModel").assert_outcomes(passed=8)


SCHEMA = """
import datetime
from sqlalchemy import *
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

class Shop(DeclarativeBase):
    metadata = MetaData(schema="Shop")

class Rls(Shop):
    __tablename__="rls"
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(10))
event.listen(Shop.metadata, "before_create", DDL('CREATE SCHEMA IF NOT EXISTS "Shop"'))
event.listen(Rls.__table__, "after_create", DDL('ALTER TABLE "Shop".rls ENABLE ROW LEVEL SECURITY'))
event.listen(Rls.__table__, "after_create", DDL('ALTER TABLE "Shop".rls FORCE ROW LEVEL SECURITY'))
event.listen(Rls.__table__, "after_create", DDL('''CREATE POLICY p ON "Shop".rls USING (true)'''))

class Tag(Shop):
    __tablename__="Tag Table"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(30), unique=True)
    items: Mapped[list["Item"]] = relationship(secondary='Shop.m2m', back_populates="tags")

class Item(Shop):
    __tablename__="item"
    id: Mapped[int] = mapped_column(primary_key=True)
    tags: Mapped[list[Tag]] = relationship(secondary='Shop.m2m', back_populates="items")
    profile: Mapped["Profile"] = relationship(back_populates="item", uselist=False)
    at: Mapped[datetime.time]
    day: Mapped[datetime.date | None]
m2m = Table(
    "m2m", Shop.metadata,
    Column("tag", ForeignKey("Shop.Tag Table.id"), primary_key=True),
    Column("item", ForeignKey("Shop.item.id"), primary_key=True),
)

class Profile(Shop):
    __tablename__="profile"
    item_id: Mapped[int] = mapped_column(ForeignKey("Shop.item.id"), primary_key=True)
    item: Mapped[Item] = relationship(back_populates="profile")
    bio: Mapped[str] = mapped_column(Text)
"""


@pytest.mark.slow
def test_schemas_row_level_security_and_other_relationships(make_shop):
    """Quoted names in a schema, tables that cannot be copied to, many-to-many and one-to-one."""
    shop = make_shop()
    (shop.root / "other.py").write_text(SCHEMA, "utf-8")
    shop.run(
        """
        import pytest
        from other import Item, Profile, Rls, Tag
        from polyfactory.factories.sqlalchemy_factory import SQLAlchemyFactory
        from pytest_crucible import bulk_create, bulk_create_sync
        from sqlalchemy import func, select

        of = SQLAlchemyFactory.create_factory

        @pytest.mark.parametrize("related", [True, False])
        @pytest.mark.parametrize("model", [Rls, Tag, Item, Profile])
        async def test_all(model, related, db_session):
            factory = of(model, __set_relationships__=related)
            await factory.create_batch_async(5)
            factory.create_batch_sync(5)
            assert await bulk_create(factory, 10) == bulk_create_sync(factory, 10) == 10
            assert await db_session.scalar(select(func.count()).select_from(model)) >= 30

        async def test_given():
            tags = await of(Tag, __set_relationships__=False).create_batch_async(3)
            item = await of(Item).create_async(tags=tags)
            assert [tag.id for tag in item.tags] == [1, 2, 3]
            assert item.profile.item_id == item.id
            profile = await of(Profile).create_async()
            assert profile.item.id == profile.item_id
        """,
        "--crucible-metadata=other:Shop",
    ).assert_outcomes(passed=9)


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["function", "module"])
@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_event_loops(shop, mode, scope):
    """A loop for each test, or for all; in strict mode too."""
    mark = "pytestmark = pytest.mark.asyncio" if mode == "strict" else ""
    shop.run(
        f"""
        import pytest, pytest_asyncio
        from factories import PostFactory, UserFactory
        from pytest_crucible import bulk_create
        {mark}

        @pytest_asyncio.fixture(scope="module", loop_scope="module")
        async def wide():
            return await UserFactory.create_async()

        @pytest_asyncio.fixture
        async def post(wide):
            return await PostFactory.create_async(author=wide)

        @pytest.mark.parametrize("i", range(3))
        async def test_one(wide, post, i):
            await bulk_create(UserFactory, 3)
            assert (await PostFactory.create_async(author=wide)).author_id == post.author_id == wide.id
        """,
        "-o",
        f"asyncio_mode={mode}",
        "-o",
        f"asyncio_default_test_loop_scope={scope}",
        "-o",
        f"asyncio_default_fixture_loop_scope={scope}",
    ).assert_outcomes(passed=3)


@pytest.mark.slow
def test_anyio(shop):
    """Under anyio's plugin, without pytest-asyncio."""
    shop.run(
        """
        import pytest
        from factories import PostFactory, UserFactory
        pytestmark = pytest.mark.anyio

        @pytest.fixture(scope="module")
        def anyio_backend(): return "asyncio"

        @pytest.fixture(scope="module")
        async def wide(anyio_backend):
            return await UserFactory.create_async()

        @pytest.mark.parametrize("i", range(3))
        async def test_one(wide, db_session, i):
            post = await PostFactory.create_async(author=wide)
            assert post in db_session and post.author_id == wide.id
        """,
        "-p",
        "no:asyncio",
        "-o",
        "strict=false",
        "-o",
        "filterwarnings=default",
    ).assert_outcomes(passed=3)
