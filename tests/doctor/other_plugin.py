"""A plugin with a fixture of the name of one of Crucible's; it is read, and never loaded."""

import pytest


@pytest.fixture
def db_session() -> str:
    return "other"
