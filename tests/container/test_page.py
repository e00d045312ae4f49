"""The page about containers, as it is written."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from .conftest import environment

pytestmark = pytest.mark.container
TESTS = Path(__file__).parents[1]


def test_every_step_of_the_page(root, tmp_path, monkeypatch):
    """What docs/containers.md lets a reader do works where an engine answers."""
    monkeypatch.syspath_prepend(str(TESTS / "docs"))
    from pages import Walk

    page = (TESTS.parent / "docs" / "containers.md").read_text("utf-8")
    page = re.sub(r' not-run="needs an engine"', "", page)
    reader = tmp_path / "reader"
    reader.mkdir()
    assert Walk(page, reader, environment(root) | {"NO_COLOR": "1", "COLUMNS": "120"}).run() == 1
    assert "pages" in sys.modules
