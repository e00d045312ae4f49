"""The rows from which every program begins."""

from __future__ import annotations

import pytest
from schema import engine
from sqlalchemy import text

ROWS = """
INSERT INTO accounts VALUES (1, 10), (2, 20);
INSERT INTO tags VALUES ('x');
INSERT INTO counters VALUES (0);
"""


@pytest.fixture(autouse=True)
def rows(crucible):
    with engine.begin() as connection:
        connection.execute(text(ROWS))
