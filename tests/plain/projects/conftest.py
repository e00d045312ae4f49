"""The order of the tests in every project: as collected, or reversed."""

import os

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    if os.environ.get("PLAIN_ORDER") == "reversed":
        items.reverse()
