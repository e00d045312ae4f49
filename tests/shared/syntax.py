"""The syntax trees of files, parsed once in a process."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path


@cache
def nodes(path: Path) -> list[ast.AST]:
    """Return the syntax tree of a file, node by node."""
    return list(ast.walk(ast.parse(path.read_text("utf-8"))))
