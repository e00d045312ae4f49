import pytest
from app import Doctor, engine, leave, on_call
from sqlalchemy.orm import Session


@pytest.fixture
def two():
    with Session(engine) as session:
        doctors = [Doctor(on_call=True), Doctor(on_call=True)]
        session.add_all(doctors)
        session.commit()
        return [doctor.id for doctor in doctors]


@pytest.mark.parametrize("n", range(3))
def test_write_skew(n, two):
    assert leave(two[0], between=lambda: leave(two[1])) == (False, 1)
    with Session(engine) as session:
        assert on_call(session) == 1


def test_alone(two):
    assert leave(two[0]) == (True, 0)


def test_empty():
    assert leave(1) == (False, 0)
