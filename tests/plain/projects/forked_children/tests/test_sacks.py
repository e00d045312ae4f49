import pytest
from app import mill, mill_all, total, total_in_a_child

# Newer Pythons warn of a fork in a process that has threads, whatever the tests do.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.mark.parametrize("n", range(2))
def test_children_write(n):
    assert mill_all([1, 2, 3]) == 6
    assert total() == 6


@pytest.mark.parametrize("n", range(2))
def test_child_reads(n):
    mill(4)
    assert total_in_a_child() == 4


def test_empty():
    assert total() == 0
