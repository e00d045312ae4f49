import pytest
from app import Event, engine
from sqlalchemy import insert, select
from sqlalchemy.orm import Session


@pytest.fixture
def events():
    with Session(engine) as session:
        session.execute(insert(Event), [{"n": n} for n in range(500)])
        session.commit()


@pytest.mark.parametrize("n", range(2))
def test_all(n, events):
    with Session(engine) as session:
        rows = session.scalars(select(Event.n).order_by(Event.id).execution_options(yield_per=100))
        assert list(rows) == list(range(500))


@pytest.mark.parametrize("n", range(2))
def test_left(n, events):
    with Session(engine) as session:
        rows = session.scalars(select(Event).order_by(Event.id).execution_options(yield_per=10))
        assert next(rows).n == 0
        rows.close()


def test_beside_a_writer(events):
    with engine.connect().execution_options(stream_results=True) as connection:
        rows = connection.execute(select(Event.n).order_by(Event.id))
        assert rows.fetchmany(10)[-1].n == 9
        with Session(engine) as session:
            session.add(Event(n=1000))
            session.commit()
        assert len(rows.fetchall()) == 490


def test_empty():
    with Session(engine) as session:
        assert session.scalars(select(Event)).all() == []
