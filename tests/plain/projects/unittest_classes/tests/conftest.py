import pytest
from app import Base, engine


@pytest.fixture(scope="session", autouse=True)
def tables():
    Base.metadata.create_all(engine)
