import pytest
from app import Name, engine
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, PendingRollbackError
from sqlalchemy.orm import Session


@pytest.fixture(scope="module")
def wide(tables):
    with Session(engine) as session:
        yield session


@pytest.fixture(autouse=True)
def rolled_back(wide):
    yield
    wide.rollback()


@pytest.mark.parametrize("n", range(3))
def test_conflict(n, wide):
    wide.add_all([Name(name="a"), Name(name="a")])
    with pytest.raises(IntegrityError):
        wide.flush()
    with pytest.raises(PendingRollbackError):
        wide.scalar(select(Name.name))


@pytest.mark.parametrize("n", range(2))
def test_error_of_a_statement(n, wide):
    with pytest.raises(DBAPIError):
        wide.execute(text("SELECT 1 / 0"))
    with pytest.raises(DBAPIError, match="aborted"):
        wide.execute(text("SELECT 1"))


def test_goes_on(wide):
    wide.add(Name(name="b"))
    wide.commit()
    assert wide.scalars(select(Name.name)).all() == ["b"]
