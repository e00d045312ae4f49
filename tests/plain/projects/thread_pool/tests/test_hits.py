import pytest
from app import Session, executor, hit_many, hits


@pytest.fixture(scope="session", autouse=True)
def shut_down(tables):
    yield
    executor.shutdown()
    Session.remove()


@pytest.fixture(autouse=True)
def ended(clean):
    yield
    Session.rollback()


@pytest.mark.parametrize("n", range(3))
def test_hits(n):
    assert hit_many(5) == 10
    assert hits() == 5


@pytest.mark.parametrize("n", range(2))
def test_threads_that_only_read(n):
    assert list(executor.map(lambda _: hits(), range(3))) == [0, 0, 0]


def test_empty():
    assert hits() == 0
