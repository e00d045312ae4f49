import pytest
from app import Track, engine
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import IntegrityError


@pytest.mark.parametrize("n", range(2))
def test_swap(n):
    with engine.begin() as connection:
        connection.execute(insert(Track), [{"id": 1, "position": 1}, {"id": 2, "position": 2}])
    with engine.begin() as connection:
        connection.execute(update(Track).values(position=3 - Track.position))
    with engine.connect() as connection:
        assert connection.scalars(select(Track.position).order_by(Track.id)).all() == [2, 1]


@pytest.mark.parametrize("n", range(2))
def test_fails_at_the_commit(n):
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(insert(Track).values(id=1, position=1, after_id=99))
        connection.execute(text("SELECT 1"))


def test_immediate():
    with engine.connect() as connection:
        connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        with pytest.raises(IntegrityError):
            connection.execute(insert(Track).values(id=1, position=1, after_id=99))


def test_chain():
    with engine.begin() as connection:
        connection.execute(insert(Track).values(id=1, position=1, after_id=2))
        connection.execute(insert(Track).values(id=2, position=2, after_id=1))
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM tracks"))
