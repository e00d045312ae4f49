import pytest
from app import pick


def examples():
    """
    >>> pick()
    1
    >>> pick()
    2
    """


def more_examples():
    """
    >>> pick()
    1
    """


@pytest.mark.parametrize("n", range(2))
def test_pick(n):
    assert pick() == 1
