import pytest
from app import Stone, engine
from sqlalchemy import select


@pytest.mark.parametrize("n", range(3))
def test_add(n, session):
    session.add(Stone(kind="marble"))
    session.commit()
    assert session.scalars(select(Stone.kind).order_by(Stone.id)).all() == ["granite", "marble"]


def test_others_see_nothing(session):
    with engine.connect() as connection:
        assert connection.scalars(select(Stone.kind)).all() == []
