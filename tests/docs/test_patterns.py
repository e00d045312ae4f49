"""docs/patterns.md points at tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "patterns.md").read_text("utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "of the recipe |" not in line]
SHOWN = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", PAGE)))


@pytest.mark.parametrize("reference", SHOWN)
def test_what_shows_it_exists(reference: str):
    """Each test that the page names is there."""
    path, _, name = reference.partition("::")
    tree = ast.parse((REPOSITORY / path).read_text("utf-8"))
    tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in tests if name else any(test.startswith("test_") for test in tests)


@pytest.mark.parametrize("row", ROWS)
def test_every_row_is_complete(row: str):
    """Each part of the recipe has its place here, a test that shows it, and a verdict."""
    cells = [cell.strip() for cell in row.strip("|").split(" | ")]
    assert len(cells) == 4
    assert all(cells)
    assert "`tests/" in cells[2]
