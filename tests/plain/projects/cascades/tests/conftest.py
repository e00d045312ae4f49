import pytest
from app import Base, engine
from sqlalchemy import text
from sqlalchemy.orm import Session


@pytest.fixture(scope="session", autouse=True)
def tables():
    Base.metadata.create_all(engine)


@pytest.fixture
def session(tables):
    with Session(engine) as session:
        yield session
        session.rollback()
        session.execute(text("TRUNCATE nodes, labels, labelled"))
        session.commit()
