"""The engines of this process, and the roles that they name."""

from __future__ import annotations

import gc
import sys
from collections.abc import Container

from sqlalchemy.engine import Engine


def engines() -> list[Engine]:
    """Return the PostgreSQL engines of this process, in no particular order.

    SQLAlchemy keeps no list of engines, but each refers to its class, and the garbage collector finds those objects.
    """
    kinds = {Engine, *Engine.__subclasses__()}
    # type(), not isinstance(): that would run __class__ properties of arbitrary objects.
    objects: list[Engine] = [each for each in gc.get_referrers(*kinds) if type(each) in kinds]
    return [engine for engine in objects if engine.dialect.name == "postgresql"]


def roles(others: Container[Engine], packages: Container[str]) -> list[tuple[str, str | None]]:
    """Return the roles in the URLs of the engines made so far, with their databases, the likeliest first.

    The garbage collector changes the order of its objects, and a suite may make its own engine before it imports the
    application. So the order is that of the modules in which the engines are global variables: those of the
    application, then those of the suite; last come engines that are no global variable, by the role's name.
    """
    named = [engine for engine in engines() if engine not in others and engine.url.username]
    if len({engine.url.username for engine in named}) > 1:
        # The first module counts: a test that imports the application's engine has it as a variable, too.
        places = {id(engine): -place for place, engine in enumerate(reversed(_globals(packages)))}
        named.sort(key=lambda engine: (places.get(id(engine), 1), str(engine.url.username)))
    return list(dict.fromkeys((str(engine.url.username), engine.url.database) for engine in named))


def _globals(packages: Container[str]) -> list[object]:
    """Return the engines that are global variables of modules, those of *packages* first and those of tests last."""
    modules = sorted(sys.modules.copy().items(), key=lambda item: _rank(item[0], packages))
    values = [value for _, module in modules for value in list(getattr(module, "__dict__", {}).values())]
    return [engine for value in values if isinstance(engine := _engine(value), Engine)]


def _rank(module: str, packages: Container[str]) -> int:
    if module.partition(".")[0] in packages:
        return 0
    name = module.rpartition(".")[2]
    return 2 if name == "conftest" or name.startswith("test_") or module.startswith("tests.") else 1


def _engine(value: object) -> object:
    """Return the engine that *value* is or wraps; AsyncEngine is recognised by name, so it is not imported."""
    kind = type(value)
    if issubclass(kind, Engine):
        return value
    return getattr(value, "sync_engine", None) if kind.__name__ == "AsyncEngine" else None
