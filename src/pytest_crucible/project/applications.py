"""The ASGI applications of a project, and the functions that make one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from .location import SourceLocation
from .modules import Module, Project
from .names import full, origin, split
from .syntax import Function, assigned, own, required

CLASSES = {"FastAPI": "fastapi", "Starlette": "starlette"}


@dataclass(frozen=True)
class Application:
    """An application, or a factory of one.

    Attributes:
        place: Its location, with the value for ``crucible_app``.
        framework: ``"fastapi"`` or ``"starlette"``.
        made_by: The dotted path of the factory that makes it: its own for a factory, empty for a plain object.
        is_factory: Whether *place* is a function.
        needs: The arguments that the factory requires; with any, `crucible_app` cannot name it.
    """

    place: SourceLocation
    framework: str
    made_by: str
    is_factory: bool
    needs: tuple[str, ...] = ()


def applications(project: Project) -> list[Application]:
    """Return every application at module level, with the factory that makes it, if any; then every factory."""
    factories = [factory for module in project.code for factory in _factories(project, module)]
    return [each for module in project.code for each in _objects(project, module, factories)] + factories


def _objects(project: Project, module: Module, factories: list[Application]) -> Iterator[Application]:
    by_path = {factory.place.path.replace(":", "."): factory for factory in factories}
    for statement in module.top():
        name, value = assigned(statement) or ("", None)
        if not isinstance(value, ast.Call):
            continue
        place = SourceLocation(f"{module.name}:{name}", module.path, statement.lineno)
        called = origin(project, full(module, value))
        if framework := _framework(project, called):
            yield Application(place, framework, "", is_factory=False)
        elif called in by_path:
            factory = by_path[called]
            yield Application(place, factory.framework, factory.place.path, is_factory=False)


def _factories(project: Project, module: Module) -> Iterator[Application]:
    for node in module.top():
        if isinstance(node, ast.FunctionDef) and (framework := _returned(project, module, node)):
            place = SourceLocation(f"{module.name}:{node.name}", module.path, node.lineno)
            yield Application(place, framework, place.path, True, tuple(required(node)))


def _returned(project: Project, module: Module, function: Function) -> str | None:
    """Return the framework of the application that *function* makes and returns, if it does."""
    frameworks: dict[str, str] = {}
    for node in own(function):
        if isinstance(node, ast.stmt) and (assignment := assigned(node)):
            name, value = assignment
            if isinstance(value, ast.Call) and (framework := _framework(project, origin(project, full(module, value)))):
                frameworks[name] = framework
        elif isinstance(node, ast.Return):
            if isinstance(node.value, ast.Name) and node.value.id in frameworks:
                return frameworks[node.value.id]
            if isinstance(node.value, ast.Call):
                return _framework(project, origin(project, full(module, node.value)))
    return None


def _framework(project: Project, dotted: str, depth: int = 5) -> str | None:
    """Return the framework of the class *dotted*, also if it is a class of the project that inherits from one."""
    package, _, name = dotted.partition(".")[0], "", dotted.rpartition(".")[2]
    if package in CLASSES.values():
        return CLASSES.get(name)
    module, name = split(project, dotted)
    if module is not None and depth:
        for node in module.top():
            if isinstance(node, ast.ClassDef) and node.name == name:
                bases = (origin(project, full(module, base)) for base in node.bases)
                return next(filter(None, (_framework(project, base, depth - 1) for base in bases)), None)
    return None
