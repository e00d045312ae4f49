import pytest
from app import Coin, engines
from sqlalchemy import func, select
from sqlalchemy.orm import Session


@pytest.mark.parametrize("name", engines)
@pytest.mark.parametrize("n", range(2))
def test_add(n, name):
    for total in (1, 2):
        with Session(engines[name]) as session:
            session.add(Coin())
            session.commit()
            assert session.scalar(select(func.count()).select_from(Coin)) == total


@pytest.mark.parametrize("name", engines)
def test_empty(name):
    with Session(engines[name]) as session:
        assert session.scalars(select(Coin)).all() == []
