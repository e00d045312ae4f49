"""However an application says what its tables are: the template has them, and they are put back."""

from __future__ import annotations

import pytest

ENGINE = """
from sqlalchemy.ext.asyncio import create_async_engine

engine = create_async_engine("postgresql+asyncpg://app@db.production.invalid/shop")
"""

SQLMODEL = (
    ENGINE
    + """
from fastapi import Depends, FastAPI
from sqlmodel import Field, Relationship, SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession

app = FastAPI()


class Team(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)
    heroes: list["Hero"] = Relationship(back_populates="team")


class Hero(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    team_id: int | None = Field(default=None, foreign_key="team.id")
    team: Team | None = Relationship(back_populates="heroes")


async def get_session():
    async with AsyncSession(engine) as session:
        yield session


@app.post("/heroes")
async def create(hero: Hero, session: AsyncSession = Depends(get_session)) -> Hero:
    session.add(hero)
    await session.commit()
    await session.refresh(hero)
    return hero


@app.get("/heroes")
async def heroes(session: AsyncSession = Depends(get_session)) -> list[Hero]:
    return list(await session.exec(select(Hero)))
"""
)

SQLMODEL_TESTS = """
import pytest
import shop
from sqlmodel import select


@pytest.mark.parametrize("n", range(2))
async def test_the_application(n, async_client, db_session):
    team = shop.Team(name="Avengers")
    db_session.add(team)
    await db_session.commit()
    response = await async_client.post("/heroes", json={"name": "Hulk", "team_id": team.id})
    assert response.json() == {"id": 1, "name": "Hulk", "team_id": 1}
    assert (await async_client.get("/heroes")).json() == [response.json()]
    assert (await db_session.scalars(select(shop.Hero.name))).all() == ["Hulk"]
    assert (await db_session.exec(select(shop.Hero))).one().name == "Hulk"
    assert (await db_session.execute(select(shop.Hero))).one()[0].name == "Hulk"


@pytest.mark.parametrize("n", range(2))
def test_synchronous(n, sync_session):
    sync_session.add(shop.Team(name="Avengers"))
    sync_session.commit()
    assert sync_session.exec(select(shop.Team.id)).all() == [1]
    assert sync_session.execute(select(shop.Team.id)).all() == [(1,)]
"""


@pytest.mark.slow
def test_sqlmodel(shop):
    """Models, relationships and asynchronous sessions of SQLModel."""
    shop.configure('crucible_databases = []\ncrucible_metadata = ["shop:SQLModel"]')
    shop.write("shop.py", SQLMODEL)
    shop.run(SQLMODEL_TESTS, process=True).assert_outcomes(passed=4)


@pytest.mark.slow
def test_sqlmodel_in_rollback_isolation(shop):
    """The application gets the test's session, with the methods of SQLModel's."""
    shop.configure("""
        crucible_databases = []
        crucible_metadata = ["shop:SQLModel"]
        crucible_isolation = "rollback"
        crucible_get_session = "shop:get_session"
    """)
    shop.write("shop.py", SQLMODEL)
    result = shop.run(SQLMODEL_TESTS, process=True)
    result.assert_outcomes(passed=4)


IMPERATIVE = (
    ENGINE
    + """
import enum
from dataclasses import dataclass

from fastapi import FastAPI
from sqlalchemy import Column, Enum, ForeignKey, Integer, MetaData, String, Table
from sqlalchemy.orm import registry, relationship

app = FastAPI()
convention = {"pk": "pk_%(table_name)s", "uq": "uq_%(table_name)s_%(column_0_name)s", "fk": "fk_%(table_name)s"}
mapper_registry = registry(metadata=MetaData(schema="stock", naming_convention=convention))


class Colour(enum.Enum):
    red = 1


@dataclass
class Shelf:
    name: str


@dataclass
class Box:
    colour: Colour
    shelf: Shelf


shelves = Table(
    "shelves",
    mapper_registry.metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String, unique=True),
)
boxes = Table(
    "boxes",
    mapper_registry.metadata,
    Column("id", Integer, primary_key=True),
    Column("colour", Enum(Colour)),
    Column("shelf_id", ForeignKey("stock.shelves.id")),
)
mapper_registry.map_imperatively(Shelf, shelves)
mapper_registry.map_imperatively(Box, boxes, properties={"shelf": relationship(Shelf)})
"""
)


def test_imperative_mappings(shop):
    """A registry stands for its metadata: schemas, enumerated types and constraint names are as it says."""
    shop.configure('crucible_databases = []\ncrucible_metadata = ["shop:mapper_registry"]')
    shop.write("shop.py", IMPERATIVE)
    result = shop.run("""
        import pytest
        import shop
        from sqlalchemy import select, text

        @pytest.mark.parametrize("n", range(2))
        async def test_it(n, db_session):
            db_session.add(shop.Box(shop.Colour.red, shop.Shelf("top")))
            await db_session.commit()
            assert (await db_session.scalars(select(shop.boxes.c.id))).all() == [1]
            names = text(
                "SELECT conname FROM pg_constraint WHERE connamespace = 'stock'::regnamespace AND contype <> 'n'"
            )
            assert set((await db_session.scalars(names)).all()) == {
                "pk_shelves", "uq_shelves_name", "pk_boxes", "fk_boxes",
            }
    """)
    result.assert_outcomes(passed=2)


BASES = (
    ENGINE
    + """
from fastapi import FastAPI
from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, declarative_base, mapped_column

app = FastAPI()
common = MetaData()


class Plain(DeclarativeBase):
    metadata = common


class Data(MappedAsDataclass, DeclarativeBase):
    metadata = common


Old = declarative_base(metadata=common)


class Order(Plain):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)


class Line(Data):
    __tablename__ = "lines"
    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    count: Mapped[int] = mapped_column(default=1)


class Note(Old):
    __tablename__ = "notes"
    line_id: Mapped[int] = mapped_column(ForeignKey("lines.id"), primary_key=True)


class Apart(DeclarativeBase):
    pass


class Log(Apart):
    __tablename__ = "logs"
    id: Mapped[int] = mapped_column(primary_key=True)
"""
)


@pytest.mark.slow
def test_several_bases(shop):
    """Bases that share one MetaData, dataclasses among them, and one with a MetaData of its own, in one database."""
    shop.configure("""
        crucible_databases = []
        crucible_metadata = ["shop:Plain", "shop:Data", "shop:Old", "shop:Apart"]
    """)
    shop.write("shop.py", BASES)
    result = shop.run("""
        import pytest
        import shop
        from sqlalchemy import select

        @pytest.mark.parametrize("n", range(2))
        async def test_it(n, db_session):
            db_session.add(shop.Order(id=1))
            await db_session.flush()
            line = shop.Line(order_id=1)
            db_session.add_all([line, shop.Log()])
            await db_session.flush()
            db_session.add(shop.Note(line_id=line.id))
            await db_session.commit()
            assert (await db_session.scalars(select(shop.Log.id))).all() == [1]
            assert (line.id, line.count) == (1, 1)
    """)
    result.assert_outcomes(passed=2)
