import pytest
from app import Base, Stone, engine
from sqlalchemy.orm import Session


@pytest.fixture(scope="session")
def connection():
    Base.metadata.create_all(engine)
    with engine.connect() as connection:
        transaction = connection.begin()
        yield connection
        transaction.rollback()


@pytest.fixture(scope="module", autouse=True)
def granite(connection):
    savepoint = connection.begin_nested()
    connection.execute(Stone.__table__.insert().values(kind="granite"))
    yield
    savepoint.rollback()


@pytest.fixture
def session(connection, granite):
    savepoint = connection.begin_nested()
    with Session(connection, join_transaction_mode="create_savepoint") as session:
        yield session
    savepoint.rollback()
