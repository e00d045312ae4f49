import pytest
from app import Base, Poller, engine


@pytest.fixture(scope="session", autouse=True)
def tables():
    Base.metadata.create_all(engine)


@pytest.fixture(scope="session", autouse=True)
def poller(tables):
    poller = Poller()
    poller.start()
    yield poller
    poller.stop.set()
    poller.join()
