"""Large data by COPY: what bulk_create stores is what create_batch would."""

from __future__ import annotations

import pytest

MODELS = """
import datetime as dt
import itertools

from sqlalchemy import Boolean, Date, Float, Interval, Sequence, Text, Time, TypeDecorator, Uuid, event
from sqlalchemy.dialects.postgresql import INET

class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"

class Shouted(TypeDecorator):
    impl = String
    cache_ok = True
    def process_bind_param(self, value, dialect): return value.upper()
    def process_result_value(self, value, dialect): return value.lower()

class Wide(Base):
    __tablename__ = "wide"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    maybe: Mapped[str | None]
    data: Mapped[dict] = mapped_column(JSONB)
    nothing: Mapped[dict | None] = mapped_column(JSONB)
    words: Mapped[list[str]] = mapped_column(ARRAY(String))
    numbers: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    colour: Mapped[Colour]
    size: Mapped[str] = mapped_column(Enum("small", "large", name="size"))
    price: Mapped[Decimal] = mapped_column(Numeric(8, 2))
    ratio: Mapped[float] = mapped_column(Float)
    yes: Mapped[bool]
    blob: Mapped[bytes] = mapped_column(LargeBinary)
    key: Mapped[uuid.UUID]
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    naive: Mapped[datetime]
    day: Mapped[dt.date]
    hour: Mapped[dt.time]
    long: Mapped[dt.timedelta]
    loud: Mapped[str] = mapped_column(Shouted)
    made: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    counted: Mapped[int] = mapped_column(default=itertools.count(1).__next__)
    fixed: Mapped[str] = mapped_column(default="fixed")
    doubled: Mapped[str] = mapped_column(Computed("loud || loud"))
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}

class Odd(Base):
    __tablename__ = "odd names"
    id: Mapped[int] = mapped_column("the Id", primary_key=True)
    order: Mapped[str] = mapped_column("Order")
    ranges: Mapped[object] = mapped_column(INT4RANGE)
    by_context: Mapped[str] = mapped_column(default=lambda context: context.get_current_parameters()["Order"] + "!")
    by_sql: Mapped[datetime] = mapped_column(default=func.now())

class Animal(Base):
    __tablename__ = "animals"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}

class Cat(Animal):
    purr: Mapped[str | None]
    __mapper_args__ = {"polymorphic_identity": "cat"}

class Dog(Animal):
    __tablename__ = "dogs"
    id: Mapped[int] = mapped_column(ForeignKey("animals.id"), primary_key=True)
    bark: Mapped[str]
    __mapper_args__ = {"polymorphic_identity": "dog"}
"""

FACTORIES = """
def of(model, **words):
    return SQLAlchemyFactory.create_factory(model, **words)

class WideFactory(SQLAlchemyFactory[shop.Wide]):
    text = "tab\\t, newline\\n, \\\\N, \\\\, \\"quotes\\", {braces}, ü"
    data = {"a": [1, None, "\\t"], "b": {"c": 1.5}}
    words = ["a", "b\\t,\\"}", "", "NULL"]
    maybe = None
    nothing = None
    counted = Ignore()
    fixed = Ignore()
    made = Ignore()

class OddFactory(SQLAlchemyFactory[shop.Odd]):
    by_context = Ignore()
    by_sql = Ignore()
"""

HEAD = """
import pytest
from contextlib import contextmanager
from polyfactory.factories.sqlalchemy_factory import SQLAlchemyFactory
from pytest_crucible import bulk_create, bulk_create_sync
from shop import *
from factories import *
from sqlalchemy import event, func, inspect, select
from sqlalchemy.engine import Engine

async def count(session, model):
    return await session.scalar(select(func.count()).select_from(model))

@contextmanager
def statements():
    seen = []
    def note(connection, cursor, statement, *rest): seen.append(statement.split()[0])
    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)

def values(row):
    return {name: getattr(row, name) for name in inspect(type(row)).column_attrs.keys()}
"""


@pytest.fixture
def models(make_shop):
    """Return the project with models of every kind."""
    return make_shop(MODELS, "\nfrom polyfactory import Ignore\n" + FACTORIES)


DRIVERS = """
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session as SyncSession

@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_asynchronously(driver, db_session):
    engine = create_async_engine(f"postgresql+{driver}://u@h.invalid/d")
    async with async_sessionmaker(engine, expire_on_commit=False)() as session:
        factory = type("Own", (WideFactory,), {"__async_session__": session})
        factory.seed_random(1)
        expected = [values(row) for row in await factory.create_batch_async(20)]
        factory.seed_random(1)
        with statements() as seen:
            assert await bulk_create(factory, 20) == 20
        assert "INSERT" not in seen
    await compare(expected, (await db_session.scalars(select(Wide).order_by(Wide.id))).all())
    await engine.dispose()

@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
async def test_synchronously(driver, db_session):
    engine = create_engine(f"postgresql+{driver}://u@h.invalid/d")
    with SyncSession(engine, expire_on_commit=False) as session:
        factory = type("Own", (WideFactory,), {"__session__": session})
        factory.seed_random(1)
        expected = [values(row) for row in factory.create_batch_sync(20)]
        factory.seed_random(1)
        with statements() as seen:
            assert bulk_create_sync(factory, 20) == 20
        assert "INSERT" not in seen
    await compare(expected, (await db_session.scalars(select(Wide).order_by(Wide.id))).all())
    engine.dispose()

async def compare(expected, stored):
    assert len(stored) == 40
    for one, other in zip(expected, map(values, stored[20:])):
        assert other["id"] == one["id"] + 20 and other["counted"] == one["counted"] + 20
        for name in ("id", "counted", "made"):
            one.pop(name), other.pop(name)
        one["loud"] = one["loud"].lower()
        assert one == other
"""


@pytest.mark.slow
def test_every_driver_and_type(models):
    """COPY over each driver stores what an INSERT does: JSON, arrays, enums, dates, defaults, NULL."""
    models.run(HEAD + DRIVERS).assert_outcomes(passed=4)


COPIED = """
async def test_parents(db_session):
    with statements() as seen:
        assert await bulk_create(PostFactory, 30) == 30
    assert seen.count("INSERT") == 1  # of the parents
    assert await count(db_session, Post) == await count(db_session, User) == 30
    user = await UserFactory.create_async()
    with statements() as seen:
        await bulk_create(PostFactory, 30, author=user)
        await bulk_create(PostFactory, 30, author_id=user.id)
    assert "INSERT" not in seen
    assert await db_session.scalar(select(func.count()).where(Post.author_id == user.id)) == 60

async def test_no_collections(db_session):
    await bulk_create(of(User), 10_000)
    assert await count(db_session, User) == 10_000 and await count(db_session, Post) == 0

async def test_others(db_session):
    await bulk_create(OddFactory, 10)
    odd = (await db_session.scalars(select(Odd))).all()
    assert [one.by_context for one in odd] == [one.order + "!" for one in odd]
    await bulk_create(of(Dog), 10)
    await bulk_create(of(Cat), 10)
    assert await count(db_session, Animal) == 20 and await count(db_session, Dog) == 10
    assert {type(one) for one in (await db_session.scalars(select(Animal))).all()} == {Cat, Dog}
    assert bulk_create_sync(of(Cat), 0) == 0

async def test_an_error_is_sqlalchemys(db_session):
    from sqlalchemy.exc import IntegrityError
    with pytest.raises(IntegrityError, match="users_email_key"):
        await bulk_create(UserFactory, 2, email="a@x.org")
    await db_session.rollback()
    assert await bulk_create(UserFactory, 2) == 2

async def test_a_factory_of_no_table():
    from polyfactory.factories import DataclassFactory
    from pytest_crucible import UsageError
    with pytest.raises(UsageError, match="DataclassFactory does not make rows of a table"):
        await bulk_create(DataclassFactory, 1)

@pytest.fixture(scope="module")
async def many():
    return await bulk_create(UserFactory, 100)

@pytest.mark.parametrize("i", range(2))
async def test_in_a_wide_fixture(many, db_session, i):
    bulk_create_sync(UserFactory, 1)
    assert await count(db_session, User) == 101
"""


@pytest.mark.slow
def test_keys_parents_and_what_cannot_be_copied(models):
    """One parent each unless it is given; no collections; inheritance, defaults of SQL and odd names work too."""
    models.run(HEAD + COPIED).assert_outcomes(passed=7)


@pytest.mark.slow
def test_in_rollback_isolation(models):
    """Rows are copied within the outer transaction."""
    models.run(
        HEAD
        + """
@pytest.mark.parametrize("i", range(2))
async def test_one(db_session, i):
    with statements() as seen:
        await bulk_create(UserFactory, 10)
    assert "INSERT" not in seen
    assert await count(db_session, User) == 10
    async with Session() as other:
        assert await count(other, User) == 0
""",
        "--crucible-isolation=rollback",
    ).assert_outcomes(passed=2)
