"""docs/rollback.md names each error as the code words it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SOURCES = sorted((REPOSITORY / "src" / "pytest_crucible" / "isolation" / "rollback").glob("*.py"))


def beginnings() -> Iterator[str]:
    """Yield the first piece of text of each IsolationError."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "IsolationError":
                pieces = [piece for piece in ast.walk(node.args[0]) if isinstance(piece, ast.Constant)]
                yield str(pieces[0].value).split("\n")[0].split(";")[0].rstrip(" .:'")


@pytest.mark.parametrize("beginning", sorted(set(beginnings())))
def test_each_error_is_on_the_page(beginning):
    """A user who searches the page for a message finds it."""
    page = " ".join((REPOSITORY / "docs" / "rollback.md").read_text("utf-8").split())
    assert beginning in page
