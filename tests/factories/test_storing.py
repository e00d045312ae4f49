"""What a batch costs in statements, and what its objects hold afterwards."""

from __future__ import annotations

import pytest

MODELS = """
class Doc(Base):
    __tablename__ = "docs"
    id: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[Decimal] = mapped_column(Numeric(6, 2))
    code: Mapped[str] = mapped_column(String(3).with_variant(String(3), "postgresql"))
    padded: Mapped[str] = mapped_column(type_=CHAR(5))
    made: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    doubled: Mapped[Decimal] = mapped_column(Numeric, Computed("price * 2"))
    lines: Mapped[list["DocLine"]] = relationship(back_populates="doc")

class Noted(Base):
    __tablename__ = "noted"
    id: Mapped[int] = mapped_column(primary_key=True)
    notes: Mapped[dict] = mapped_column(MutableDict.as_mutable(JSONB))

class DocLine(Base):
    __tablename__ = "doc_lines"
    doc_id: Mapped[int] = mapped_column(ForeignKey("docs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    doc: Mapped[Doc] = relationship(back_populates="lines")
"""

HEAD = """
import pytest
from contextlib import contextmanager
from decimal import Decimal
from polyfactory import Ignore
from polyfactory.factories.sqlalchemy_factory import SQLAlchemyFactory
from types import SimpleNamespace
from shop import *
from sqlalchemy import event, select
from sqlalchemy.engine import Engine

class DocFactory(SQLAlchemyFactory[Doc]):
    __set_relationships__ = False
    price = Decimal("1.005")
    padded = "ab"
    made = Ignore()

class LineFactory(SQLAlchemyFactory[DocLine]):
    pass

@contextmanager
def statements():
    seen = []
    def note(connection, cursor, statement, *rest): seen.append(statement.split()[0])
    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)
"""


BATCHES = """
def check(docs):
    assert all((doc.price, doc.doubled, doc.padded) == (Decimal("1.01"), Decimal("2.02"), "ab   ") for doc in docs)
    assert all(doc.made.tzinfo for doc in docs)

async def test_asynchronously(db_session):
    await DocFactory.create_async()  # the database is there
    with statements() as seen:
        docs = await DocFactory.create_batch_async(500)
        check([await DocFactory.create_async()])
    assert seen == ["INSERT", "SELECT", "INSERT", "SELECT"]
    check(docs)
    assert not db_session.in_transaction()

def test_synchronously(sync_session):
    with statements() as seen:
        docs = DocFactory.create_batch_sync(500)
        check(docs)
    assert seen == ["INSERT", "SELECT"]
    assert not sync_session.in_transaction()

async def test_composite_keys_and_relationships():
    with statements() as seen:
        lines = await LineFactory.create_batch_async(20)
    assert seen == ["INSERT", "INSERT", "SELECT"]
    assert all(line.doc.lines == [line] for line in lines)  # what was there is not unloaded

@pytest.fixture
async def db_session():
    async with async_sessionmaker(engine)() as session:
        yield session

class TestExpiring:
    async def test_a_session_that_expires_what_it_commits(self, db_session):
        assert db_session.sync_session.expire_on_commit
        docs = await DocFactory.create_batch_async(3)
        check(docs)  # and no MissingGreenlet

    async def test_values_that_are_changed_in_place_here(self, db_session):
        await noted(db_session)

async def noted(session):
    one, = await SQLAlchemyFactory.create_factory(Noted, notes={"a": (1, 2)}).create_batch_async(1)
    assert one.notes == {"a": [1, 2]}
    one.notes["b"] = 3
    await session.commit()
    assert await session.scalar(select(Noted.notes["b"].as_integer())) == 3

async def test_values_that_are_changed_in_place(crucible_session):
    await noted(crucible_session)

async def test_flushed_only(db_session):
    class Flushing(DocFactory):
        __persistence_method__ = SimpleNamespace(value="flush")  # Polyfactory has an enum of it, the first 3.x had none
    doc = await Flushing.create_async()
    assert doc.id and db_session.in_transaction()
    await db_session.rollback()
    assert await db_session.get(Doc, doc.id) is None
"""


@pytest.mark.slow
def test_a_batch_is_one_insert_and_one_select(make_shop):
    """Its objects hold what the database made of them: defaults, computed columns, roundings."""
    make_shop("from sqlalchemy import CHAR\nfrom sqlalchemy.ext.mutable import MutableDict\n" + MODELS).run(
        HEAD
        + BATCHES.replace(
            "async def test_asynchronously(db_session)", "async def test_asynchronously(crucible_session)"
        ).replace("not db_session.in_transaction()", "not crucible_session.in_transaction()")
    ).assert_outcomes(passed=7)
