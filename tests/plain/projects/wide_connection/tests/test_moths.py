import pytest
from app import Moth, engine
from sqlalchemy import func, inspect, select, text
from sqlalchemy.exc import IntegrityError


@pytest.mark.parametrize("n", range(3))
def test_commit(n, session):
    session.add(Moth(name="a"))
    session.commit()
    assert session.scalar(select(func.count()).select_from(Moth)) == 1


def test_rollback_in_the_middle(session):
    session.add(Moth(name="a"))
    session.commit()
    session.add(Moth(name="b"))
    session.rollback()
    assert session.scalars(select(Moth.name)).all() == ["a"]


def test_conflict(session):
    session.add(Moth(name="a"))
    session.commit()
    with pytest.raises(IntegrityError), session.begin_nested():
        session.add(Moth(name="a"))
        session.flush()
    assert session.scalars(select(Moth.name)).all() == ["a"]


def test_ddl(session):
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE scratch (id int)"))
    assert inspect(engine).has_table("scratch")
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE scratch"))


@pytest.mark.parametrize("n", range(2))
def test_others_see_nothing(n, session):
    session.add(Moth(name="a"))
    session.commit()
    with engine.connect() as other:
        assert other.scalar(select(func.count()).select_from(Moth)) == 0
