import pytest
from app import Base, Hive, app, engine, get_db
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, delete
from sqlalchemy.orm import sessionmaker

test_engine = create_engine(engine.url.set(username="tester"))
TestingSession = sessionmaker(test_engine)


@pytest.fixture(scope="session", autouse=True)
def tables():
    Base.metadata.drop_all(test_engine)
    Base.metadata.create_all(test_engine)
    yield
    Base.metadata.drop_all(test_engine)


@pytest.fixture
def session():
    with TestingSession() as session:
        yield session
        session.rollback()
        session.execute(delete(Hive))
        session.commit()


@pytest.fixture
def client(session):
    app.dependency_overrides[get_db] = lambda: session
    with TestClient(app) as client:
        yield client
    app.dependency_overrides.clear()
