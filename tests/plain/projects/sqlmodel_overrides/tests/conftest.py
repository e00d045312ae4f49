import pytest
from app import Base, app, engine, get_session
from fastapi.testclient import TestClient
from sqlmodel import Session


@pytest.fixture(name="session")
def session_fixture():
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    Base.metadata.drop_all(engine)


@pytest.fixture(name="client")
def client_fixture(session):
    app.dependency_overrides[get_session] = lambda: session
    yield TestClient(app)
    app.dependency_overrides.clear()
