"""The environment variable that holds the URL of the application's engine, and is needed to import the application."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.util import find_spec

from ..project import Finds
from ..project.engines import Engine
from ..project.names import full
from ..project.syntax import assigned, constant, keyword
from ..settings import ASYNC_DRIVERS, SYNC_DRIVERS


def url_env(finds: Finds) -> list[str]:
    """Return `crucible_url_env`, as ``["DATABASE_URL=postgresql+asyncpg"]``; empty for no or several variables."""
    found = {
        f"{variable}=postgresql+{driver}"
        for engine in finds.engines
        if engine.at_module_level and not engine.module.is_test
        for variable in _variables(engine)
        if (driver := _driver(finds, engine))
    }
    return list(found) if len(found) == 1 else []


def _variables(engine: Engine) -> Iterator[str]:
    node = keyword(engine.node, "url") or next(iter(engine.node.args), None)
    if isinstance(node, ast.Name):
        values = dict(found for statement in engine.module.top() if (found := assigned(statement)))
        node = values.get(node.id)
    name = None
    if isinstance(node, ast.Subscript) and full(engine.module, node.value) == "os.environ":
        name = constant(node.slice)
    elif isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords:
        name = constant(node.args[0]) if full(engine.module, node) in ("os.getenv", "os.environ.get") else None
    if isinstance(name, str):
        yield name


def _driver(finds: Finds, engine: Engine) -> str | None:
    """Return the required driver, or else an installed one."""
    names = ASYNC_DRIVERS if engine.is_async else SYNC_DRIVERS
    required = {one.name.removesuffix("-binary") for one in finds.requirements}
    return next((name for name in names if name in required), None) or next(filter(find_spec, names), None)
