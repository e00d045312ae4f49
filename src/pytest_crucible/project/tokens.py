"""The functions of a project that mint access tokens."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from .location import SourceLocation
from .modules import Module, Project
from .names import full
from .syntax import Function, calls

NAME = re.compile(
    r"(create|make|mint|issue|generate|encode|sign|new)_(access_|auth_|jwt_)?(token|jwt)|access_token_for"
)


@dataclass(frozen=True)
class TokenFunction:
    """A function that ``crucible_access_token`` can name.

    Attributes:
        place: Its dotted path, file and line.
    """

    place: SourceLocation


def token_functions(project: Project) -> list[TokenFunction]:
    """Return every candidate; functions for access tokens come before those for refresh tokens and the like."""
    functions = [
        TokenFunction(SourceLocation(f"{module.name}:{node.name}", module.path, node.lineno))
        for module in project.code
        for node in module.top()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if _encodes(module, node) or NAME.fullmatch(node.name)
    ]
    return sorted(functions, key=lambda function: "access" not in function.place.name)


def _encodes(module: Module, node: Function) -> bool:
    return any(full(module, call).endswith(("jwt.encode", "jws.sign", "jwt.JWT")) for call in calls(node))
