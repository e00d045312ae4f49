"""Engines of the tests whose URL is a literal for SQLite, as in the recipe of FastAPI's documentation."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .engines import Engine, url_of
from .location import SourceLocation
from .survey import Finds
from .syntax import assigned, constant, keyword, last, text


@dataclass(frozen=True)
class SqliteEngine:
    """An engine of the tests that speaks SQLite.

    Attributes:
        place: The location of the call that makes it.
        name: Its name, or that of the function that makes it.
        is_async: Whether it is an ``AsyncEngine``.
        arguments: Those of its arguments that only SQLite knows.
        overridden: The session dependencies that the same module overrides.
    """

    place: SourceLocation
    name: str
    is_async: bool
    arguments: tuple[str, ...]
    overridden: tuple[SourceLocation, ...]

    def remedy(self, root: Path) -> str:
        """Return the advice on what to write instead."""
        drivername = "postgresql+asyncpg" if self.is_async else "postgresql+psycopg"
        without = f" without {' and '.join(self.arguments)}" if self.arguments else ""
        places = [f"the override of {one.name} ({one.where(root)})" for one in self.overridden]
        rest = f" and {', '.join(places)}" if places else ""
        return (
            f"Give it the URL {drivername}://app@localhost/app{without}: no server needs to run there. Or delete it"
            f"{rest}, with the fixtures that use it: Crucible leads the application's engine to the tests' database."
        )


def sqlite_engines(finds: Finds) -> Iterator[SqliteEngine]:
    """Yield the engines of the tests with a literal URL for SQLite; none that takes a default of the environment."""
    if finds.configuration.text("crucible_other_dialects") == "allow":
        return
    sessions = {one.place.path for one in finds.session_dependencies}
    for engine in finds.engines:
        if engine.module.is_test and literal_url(engine).startswith("sqlite"):
            places = [one.place for one in finds.overrides if one.module is engine.module]
            overridden = tuple(place for place in places if place.path in sessions)
            place = engine.place
            yield SqliteEngine(place, place.name, engine.is_async, tuple(_arguments(engine.node)), overridden)


def literal_url(engine: Engine) -> str:
    """Return the URL if it is a literal, or a name of the module for one; else an empty text."""
    node = url_of(engine.node)
    values = dict(filter(None, map(assigned, engine.module.top())))
    return str(constant(values.get(text(node), node)) or "")


def _arguments(call: ast.Call) -> Iterator[str]:
    """Yield the arguments of a call that only SQLite knows, or needs."""
    given = keyword(call, "connect_args")
    if isinstance(given, ast.Dict) and any(constant(key) == "check_same_thread" for key in given.keys):
        yield "check_same_thread"
    if (pool := last(keyword(call, "poolclass"))) in ("StaticPool", "SingletonThreadPool"):
        yield f"poolclass={pool}"
