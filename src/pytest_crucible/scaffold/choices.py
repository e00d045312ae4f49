"""The choices of `crucible init`, made from the project's sources, or by the user where there are several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from ..errors import UsageError
from ..errors.counting import counted
from ..project import Finds
from ..project.applications import Application
from ..project.engines import SessionDependency
from ..project.models import Metadata
from ..project.tokens import TokenFunction
from . import suite
from . import url_variable as environment
from .questions import Questions

Runner = Literal["asyncio", "anyio", "sync"]
T = TypeVar("T", Application, SessionDependency, TokenFunction)

SCHEMA = ("crucible_metadata", "crucible_alembic")


def is_on(finds: Finds) -> bool:
    """Return whether the project uses Crucible already."""
    return any(name in finds.configuration.values for name in (*SCHEMA, "crucible_databases"))


@dataclass(frozen=True)
class Choices:
    """The choices for one project.

    Attributes:
        app: The application, if there is one that `crucible_app` can name.
        metadata: The metadata that the schema is made from; several for several bases.
        alembic: The file that configures Alembic, relative to the root, if migrations are to build the schema.
        get_session: The session dependency.
        token: The function that mints access tokens.
        runner: The plugin that runs asynchronous tests; ``"sync"`` if application and tests have no asynchronous code.
        strict: True if asynchronous tests carry a mark of their own.
        tests: The folder of the tests, relative to the root.
    """

    app: Application | None
    metadata: tuple[Metadata, ...]
    alembic: str | None
    get_session: SessionDependency | None
    token: TokenFunction | None
    runner: Runner
    strict: bool
    tests: str

    def metadata_paths(self, finds: Finds) -> list[str]:
        """Return the value of `crucible_metadata`, which imports every model."""
        modules = [self.app.place.module] if self.app else []
        return list(dict.fromkeys(path for one in self.metadata for path in one.paths(finds.project, *modules)))

    def options(self, finds: Finds) -> dict[str, str | list[str]]:
        """Return Crucible's options for these choices."""
        is_fastapi = self.app is not None and self.app.framework == "fastapi"
        options: dict[str, str | list[str] | None] = {
            "crucible_app": self.app.place.path if self.app else None,
            "crucible_metadata": self.metadata_paths(finds),
            "crucible_alembic": self.alembic,
            # FastAPI's own mechanism overrides it.
            "crucible_get_session": self.get_session.place.path if self.get_session and is_fastapi else None,
            "crucible_access_token": self.token.place.path if self.token else None,
            "crucible_url_env": environment.url_env(finds) if not is_on(finds) else None,
        }
        # A project that has configured its schema already keeps its own options.
        said = [name for name in SCHEMA if is_on(finds)]
        return {name: value for name, value in options.items() if value and name not in said}


def settle(finds: Finds, ask: Questions) -> Choices:
    """Make all choices; ask the user where there are several.

    Raises:
        UsageError: If there is no source for a schema, or the application uses SQLite.
    """
    _refuse_sqlite(finds)
    app = _application(finds, ask)
    chosen = _metadata(finds, ask)
    alembic = _alembic(finds, ask)
    if not chosen and not alembic:
        raise _nothing(finds)
    used = [one for one in finds.session_dependencies if one.is_used] or list(finds.session_dependencies)
    return Choices(
        app,
        chosen,
        alembic,
        _one(finds, ask, "Several functions that yield a session", "crucible_get_session", used),
        _one(finds, ask, "Several functions that make tokens", "crucible_access_token", finds.token_functions),
        _runner(finds),
        finds.configuration.text("asyncio_mode") == "strict",
        suite.folder(finds),
    )


def _refuse_sqlite(finds: Finds) -> None:
    engines = [one for one in finds.engines if not one.module.is_test]
    if not engines or is_on(finds) or not all((one.known_url or "").startswith("sqlite") for one in engines):
        return
    place = engines[0].place.where(finds.project.root)
    raise UsageError(
        f"The application's engine uses SQLite: {place}.",
        why="Crucible tests on PostgreSQL, and does not redirect SQLite engines: a test that passes on one database may"
        " fail on the other.",
        do="If production uses PostgreSQL and the URL comes from the environment, configure Crucible by hand with "
        'crucible_url_env = ["DATABASE_URL=postgresql+psycopg"] (README.md), and run `crucible init` again.',
    )


def _application(finds: Finds, ask: Questions) -> Application | None:
    objects = [one for one in finds.applications if not one.is_factory]
    made = {one.made_by for one in objects}
    factories = [one for one in finds.applications if one.is_factory and one.place.path not in made and not one.needs]
    return _one(finds, ask, "Several applications", "crucible_app", [*objects, *factories])


def _metadata(finds: Finds, ask: Questions) -> tuple[Metadata, ...]:
    found = [one for one in finds.metadata if one.models] or list(finds.metadata)
    if len(found) < 2 or is_on(finds):
        return tuple(found)
    root = finds.project.root
    lines = [f"{one.place.path} ({one.place.where(root)}), {counted(len(one.models), 'model')}" for one in found]
    chosen = ask.choose("Several bases of models", ["all of them", *lines])
    return tuple(found) if chosen == 0 else (found[chosen - 1],)


def _alembic(finds: Finds, ask: Questions) -> str | None:
    root = finds.project.root
    found = [one.config.relative_to(root).as_posix() for one in finds.migrations if one.versions]
    if not found or is_on(finds):
        return next(iter(found), None)
    return found[ask.choose("Several configurations of Alembic", found)]


def _one(finds: Finds, ask: Questions, what: str, option: str, found: Sequence[T]) -> T | None:
    known = finds.configuration.text(option)
    if known is not None:
        return next((one for one in found if one.place.path == known), None)
    if not found:
        return None
    lines = [f"{one.place.path} ({one.place.where(finds.project.root)})" for one in found]
    return found[ask.choose(what, lines)]


def _runner(finds: Finds) -> Runner:
    required = {one.name for one in finds.requirements}
    if suite.uses_anyio(finds) and "pytest-asyncio" not in required:
        return "anyio"
    has_async = any(engine.is_async for engine in finds.engines) or any(
        dependency.is_async for dependency in finds.session_dependencies
    )
    if has_async or suite.has_async_tests(finds) or "pytest-asyncio" in required or not finds.engines:
        return "asyncio"
    return "sync"


def _nothing(finds: Finds) -> UsageError:
    broken = [module for module in finds.project.modules if module.error]
    unread = f" {broken[0].path} could not be read: {broken[0].error}." if broken else ""
    count = len(finds.project.code)
    return UsageError(
        f"There is no declarative base, MetaData or SQLModel table in {finds.project.root}, and no Alembic migration.",
        why=f"Crucible read {counted(count, 'module')} without importing any.{unread}",
        do="Run `crucible init` in the folder of an application that uses SQLAlchemy, or name it: `crucible init "
        "--root PATH`. If the models cannot be found by reading the source, set crucible_metadata by hand.",
    )
