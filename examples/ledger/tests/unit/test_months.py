from datetime import date

import pytest

from ledger.partitions import month_after


@pytest.mark.parametrize(
    ("month", "following"),
    [
        pytest.param(date(2026, 1, 1), date(2026, 2, 1), id="within a year"),
        pytest.param(date(2026, 12, 1), date(2027, 1, 1), id="over its end"),
        pytest.param(date(2026, 11, 30), date(2026, 12, 1), id="from its last day"),
    ],
)
def test_month_after(month: date, following: date):
    """A partition ends where the next month begins."""
    assert month_after(month) == following
