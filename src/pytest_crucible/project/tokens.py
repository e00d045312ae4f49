"""The functions of a project that mint access tokens."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from .location import SourceLocation
from .modules import Module, Project
from .names import full, origin
from .syntax import Function, calls, parameters, required

NAME = re.compile(
    r"(create|make|mint|issue|generate|encode|sign|new)_(user_)?(access_|auth_|jwt_)?(token|jwt)(_for_\w+)?"
    r"|access_token_for(_user)?"
)
USER = re.compile(
    r"\w*_user|user(name|id)?|account|person|member|owner|customer|principal|sub|subject|identity|email|uid|pk|(\w+_)?id"
)
CLAIMS = re.compile(r"data|payload|claims|to_encode|content")
LIFETIME = re.compile(r"exp|ttl|lifetime|minutes|seconds|delta|max_age")


@dataclass(frozen=True)
class TokenFunction:
    """A function that ``crucible_access_token`` can name.

    Attributes:
        place: Its dotted path, file and line.
        is_used: Whether the tests call it.
    """

    place: SourceLocation
    is_used: bool = False


def token_functions(project: Project) -> list[TokenFunction]:
    """Return the functions that mint a token for a user, by their name and arguments; those that tests call first."""
    functions = [
        TokenFunction(SourceLocation(f"{module.name}:{node.name}", module.path, node.lineno))
        for module in project.code
        if module.mentions("token", "jwt")
        for node in module.top()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and NAME.fullmatch(node.name) and _is_for_user(node)
    ]
    called = _called(project, {function.place.name for function in functions})
    functions = [
        TokenFunction(function.place, function.place.path.replace(":", ".") in called) for function in functions
    ]
    return sorted(functions, key=lambda function: (not function.is_used, "access" not in function.place.name))


def _is_for_user(function: Function) -> bool:
    """Return whether a user or a subject, and at most a lifetime, is what the function needs."""
    names = parameters(function)
    users = [name for name in names if USER.fullmatch(name) or CLAIMS.fullmatch(name)]
    rest = [name for name in required(function) if name not in users and not LIFETIME.search(name)]
    return bool(users) and not rest and len([name for name in required(function) if name in users]) <= 1


def _called(project: Project, names: set[str]) -> set[str]:
    """Return the full names of the functions, of these last names, that the tests call."""
    modules: list[Module] = [module for module in project.tests if names and module.mentions(*names)]
    return {origin(project, full(module, call)) for module in modules for call in calls(module.tree)}
