import pytest
from app import Reading, engine, reporting
from sqlalchemy import func, select
from sqlalchemy.orm import Session


@pytest.fixture(scope="module")
def reader():
    with Session(reporting) as session:
        yield session


@pytest.mark.parametrize("n", range(3))
def test_snapshot(n, reader):
    before = reader.scalars(select(Reading.value)).all()
    with Session(engine) as session:
        session.add(Reading(value=n))
        session.commit()
        assert session.scalar(select(func.count()).select_from(Reading)) == 1
    assert reader.scalars(select(Reading.value)).all() == before


def test_new_snapshot(reader):
    with Session(engine) as session:
        session.add(Reading(value=7))
        session.commit()
    reader.rollback()
    assert reader.scalars(select(Reading.value)).all() == [7]
    reader.rollback()
