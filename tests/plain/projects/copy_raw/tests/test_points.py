import pytest
from app import engine, load, total


@pytest.mark.parametrize("n", range(3))
def test_load(n):
    load((x, 2) for x in range(1000))
    assert total() == (1000, 2000)


def test_bad_row():
    with pytest.raises(engine.dialect.dbapi.Error):
        load([(1, 2), (1, 3)])
    assert total() == (0, 0)


def test_empty():
    assert total() == (0, 0)
