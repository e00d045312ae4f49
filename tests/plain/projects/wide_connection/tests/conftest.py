import pytest
from app import Base, engine
from sqlalchemy.orm import Session


@pytest.fixture(scope="session")
def connection():
    Base.metadata.create_all(engine)
    with engine.connect() as connection:
        yield connection


@pytest.fixture
def session(connection):
    outer = connection.begin()
    with Session(connection, join_transaction_mode="create_savepoint") as session:
        yield session
    outer.rollback()
