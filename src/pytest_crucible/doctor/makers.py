"""Which calls make a session, also through a sessionmaker that the project keeps under a name of its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..project.imports import full, origin, split
from ..project.syntax import assigned, calls
from ..project.tree import Module, Project

CLASSES = {"Session", "AsyncSession", "sessionmaker", "async_sessionmaker"}
LIBRARIES = {"sqlalchemy", "sqlmodel"}


def is_of_library(project: Project, module: Module, call: ast.Call) -> bool:
    """Whether *call* is SQLAlchemy's (or SQLModel's) own session or sessionmaker."""
    dotted = origin(project, full(module, call.func))
    return dotted.rpartition(".")[2] in CLASSES and dotted.partition(".")[0] in LIBRARIES


def made_in(project: Project, module: Module) -> Iterator[ast.Call]:
    """Every call of SQLAlchemy's own sessions and sessionmakers in *module*."""
    yield from (call for call in calls(module.tree) if is_of_library(project, module, call))


def settings_of(project: Project, module: Module, call: ast.Call) -> dict[str | None, ast.expr] | None:
    """The keyword arguments that the session made by *call* has, the sessionmaker's own among them.

    None where *call* makes no session; the key None is there where some come from a dictionary.
    """
    own = {word.arg: word.value for word in call.keywords}
    if is_of_library(project, module, call):
        return own
    maker = _maker(project, module, call)
    return None if maker is None else {**{word.arg: word.value for word in maker.keywords}, **own}


def _maker(project: Project, module: Module, call: ast.Call) -> ast.Call | None:
    """The ``sessionmaker(…)`` that the name of *call* was given at module level."""
    home, name = split(project, origin(project, full(module, call.func)))
    for statement in home.top() if home and name else ():
        bound = assigned(statement)
        if home and bound and bound[0] == name and isinstance(bound[1], ast.Call):
            return bound[1] if is_of_library(project, home, bound[1]) else None
    return None
