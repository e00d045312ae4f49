import pytest
from app import Base, clear, engine, fill


@pytest.fixture(scope="session", autouse=True)
def tables():
    Base.metadata.create_all(engine)


@pytest.fixture(scope="module")
def hall(request, tables):
    name = request.module.__name__
    fill(name, 10)
    yield name
    clear(name)
