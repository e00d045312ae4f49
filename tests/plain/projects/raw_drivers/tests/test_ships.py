import pytest
from app import Ship, engine, raw
from sqlalchemy import select
from sqlalchemy.orm import Session


@pytest.fixture(scope="module")
def wide(tables):
    with raw() as connection:
        connection.autocommit = True
        yield connection


@pytest.mark.parametrize("n", range(3))
def test_raw_then_engine(n):
    with raw() as connection:
        connection.execute("INSERT INTO ships (name) VALUES ('argo')")
    with Session(engine) as session:
        assert session.scalars(select(Ship.name)).all() == ["argo"]


@pytest.mark.parametrize("n", range(2))
def test_engine_then_raw(n):
    with Session(engine) as session:
        session.add(Ship(name="argo"))
        session.commit()
    with raw() as connection:
        assert connection.execute("SELECT name FROM ships").fetchall() == [("argo",)]


@pytest.mark.parametrize("n", range(3))
def test_wide(n, wide):
    wide.execute("INSERT INTO ships (name) VALUES ('argo')")
    assert wide.execute("SELECT count(*) FROM ships").fetchone() == (1,)


def test_rolled_back():
    with raw() as connection:
        connection.execute("INSERT INTO ships (name) VALUES ('argo')")
        connection.rollback()
        assert connection.execute("SELECT name FROM ships").fetchall() == []
