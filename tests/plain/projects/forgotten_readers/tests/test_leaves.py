import pytest
from app import Leaf, add, count, forgotten
from sqlalchemy import func, select


@pytest.mark.parametrize("n", range(4))
def test_count(n):
    add()
    assert count() == 1


@pytest.mark.parametrize("n", range(2))
def test_earlier_ones_still_read(n):
    add()
    assert count() == 1
    assert {session.scalar(select(func.count()).select_from(Leaf)) for session in forgotten} == {1}
