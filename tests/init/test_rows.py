"""A sample row is written only where it is certain that PostgreSQL takes it."""

import ast

import pytest

from pytest_crucible.cli.scaffold.samples import sample
from pytest_crucible.project import find, read

HEAD = """
import enum
import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Optional

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKey, Integer, MetaData, String, Table, func
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column, relationship

intpk = Annotated[int, mapped_column(primary_key=True)]
short = Annotated[str, mapped_column(String(3), unique=True)]


class Base(DeclarativeBase): ...


class Stamped:
    made: Mapped[datetime] = mapped_column(server_default=func.now())


class Numbered(Base):
    __abstract__ = True
    id: Mapped[intpk]

"""


def row(copy, model: str):
    project = copy()
    project.write(app_py=HEAD + model)
    found = read(project.root)
    assert not [module.error for module in found.modules if module.error]
    return sample(found, find(found).metadata)


@pytest.mark.parametrize(
    ("columns", "arguments"),
    [
        ("name: Mapped[str]", 'name="example"'),
        ("name: Mapped[str] = mapped_column(String(2))", 'name="ex"'),
        ("name: Mapped[short]", 'name="exa"'),
        ("a: Mapped[int]; b: Mapped[bool]; c: Mapped[float]", "a=1, b=True, c=1.5"),
        ("price: Mapped[Decimal]; day: Mapped[date]", 'price=Decimal("1.50"), day=date(2025, 1, 31)'),
        ("at: Mapped[datetime]", "at=datetime(2025, 1, 31, 12)"),
        (
            "at: Mapped[datetime] = mapped_column(DateTime(timezone=True))",
            "at=datetime(2025, 1, 31, 12, tzinfo=timezone.utc)",
        ),
        ("key: Mapped[uuid.UUID] = mapped_column(primary_key=True)", "key=UUID(int=1)"),
        ("name = Column(String, nullable=False); free = Column(String)", 'name="example"'),
        ("name = sa.Column('label', sa.Text, nullable=False)", 'name="example"'),
        (
            "n: Mapped[str]; a: Mapped[str|None]; b: Mapped[Optional[int]]; c: Mapped[int] = mapped_column(default=1)",
            'n="example"',
        ),
        ("name: Mapped[str]; others: Mapped[list['Thing']] = relationship()", 'name="example"'),
        ("name: Mapped[str]; boss_id: Mapped[int | None] = mapped_column(ForeignKey('things.id'))", 'name="example"'),
    ],
)
def test_columns_of_plain_types(copy, columns: str, arguments: str):
    """Required columns get a value of their type; what PostgreSQL or the model fills in gets none."""
    found = row(copy, f"class Thing(Stamped, Numbered):\n    __tablename__ = 'things'; {columns}\n")
    assert found is not None
    assert found.call == f"Thing({arguments})"
    names = {"datetime": 0, "date": 0, "Decimal": 0, "UUID": 0, "timezone": 0}
    scope: dict[str, object] = {}
    exec("\n".join(found.imports), scope)  # noqa: S102 - the lines that are written
    eval(compile(ast.parse(f"dict({arguments})", mode="eval"), "", "eval"), scope)  # noqa: S307
    assert names.keys() >= {name for name in scope if not name.startswith("__")}


@pytest.mark.parametrize(
    "model",
    [
        "class Thing(Numbered):\n    __tablename__ = 't'; other_id: Mapped[int] = mapped_column(ForeignKey('o.id'))",
        "class Thing(Numbered):\n    __tablename__ = 't'; kind: Mapped[list[str]]",
        "class Kind(enum.Enum): a = 1\nclass Thing(Numbered):\n    __tablename__ = 't'; kind: Mapped[Kind]",
        "class Thing(Numbered):\n    __tablename__ = 't'; n: Mapped[int]; __table_args__ = (CheckConstraint('n > 5'),)",
        "class Thing(MappedAsDataclass, Numbered):\n    __tablename__ = 't'; n: Mapped[int]",
        "from elsewhere import Mixin\nclass Thing(Mixin, Numbered):\n    __tablename__ = 't'; n: Mapped[int]",
        "class Thing(Numbered):\n    __tablename__ = 't'",
    ],
)
def test_what_is_not_certain_gets_no_row(copy, model: str):
    """A foreign key, another type, a constraint, a class from elsewhere, no column at all: none of them is guessed."""
    assert row(copy, model + "\n") is None


def test_tables_without_classes(copy):
    """A Table gets values for its columns, too."""
    found = row(
        copy,
        "m = MetaData()\n"
        "t = Table('t', m, Column('id', Integer, primary_key=True), Column('n', String(9), nullable=False))\n",
    )
    assert (found.arguments, found.model.is_table) == ('n="example"', True)


def test_a_unique_column_is_preferred(copy):
    """With a unique column, two transactions can be shown to meet."""
    found = row(
        copy,
        "class A(Numbered):\n    __tablename__ = 'a'; n: Mapped[int]\n"
        "class B(Numbered):\n    __tablename__ = 'b'; c: Mapped[str] = mapped_column(unique=True)\n",
    )
    assert (found.name, found.unique) == ("B", "c")
