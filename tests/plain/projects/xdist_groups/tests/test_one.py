import pytest
from app import clear, count, fill

pytestmark = pytest.mark.xdist_group(__name__)


@pytest.mark.parametrize("n", range(4))
def test_shared(n, hall):
    assert count(hall) == 10
    fill(f"{hall} {n}", 2)
    assert count(f"{hall} {n}") == 2
    clear(f"{hall} {n}")
