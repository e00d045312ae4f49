"""The page about the contract, as it is written."""

from __future__ import annotations

import re
from pathlib import Path

import inner_project
import pytest

TESTS = Path(__file__).parents[1]


@pytest.mark.usefixtures("shop")
def test_every_step_of_the_page(tmp_path, monkeypatch, server_cache):
    """What docs/contract.md lets a reader do works where Schemathesis is installed."""
    monkeypatch.syspath_prepend(str(TESTS / "docs"))
    from pages import Walk

    page = (TESTS.parent / "docs" / "contract.md").read_text("utf-8")
    page = re.sub(r' not-run="needs Schemathesis"', "", page)
    environment = inner_project.user_environment() | {"CRUCIBLE_CACHE": str(server_cache)}
    assert Walk(page, tmp_path, environment | {"NO_COLOR": "1", "COLUMNS": "120"}).run() == 4
