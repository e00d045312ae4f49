"""The choices of `crucible init`, made from the survey of a project, or by the user where there are several."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from ..errors import UsageError
from ..errors.counting import counted
from ..project.applications import Application
from ..project.engines import SessionDependency
from ..project.location import SourceLocation
from ..project.models import Metadata
from ..project.names import reached
from ..project.sqlite_engines import literal_url
from ..project.survey import Finds
from ..project.tokens import TokenFunction
from . import databases, suite
from .questions import Questions

Runner = Literal["asyncio", "anyio", "sync"]
T = TypeVar("T", Application, SessionDependency, TokenFunction)

SCHEMA = ("crucible_metadata", "crucible_alembic", "crucible_schema")
# The names of an application's module and of the application in it, in most projects.
USUAL = ("main", "app", "asgi", "api", "server", "application")


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
        has_suite: True if the project has tests: then its own settings stay as they are.
        shares_session: True if the tests' session, in an outer transaction, is the application's as well.
        databases: The values of `crucible_databases`.
        variables: The values of `crucible_url_env`.
        reasons: The reason for a choice, by its option, where the suite or Alembic gives one.
    """

    app: Application | None
    metadata: tuple[Metadata, ...]
    alembic: str | None
    get_session: SourceLocation | None
    token: TokenFunction | None
    runner: Runner
    strict: bool
    tests: str
    has_suite: bool = False
    shares_session: bool = False
    databases: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    reasons: dict[str, str] = field(default_factory=dict)

    def metadata_paths(self, finds: Finds) -> list[str]:
        """Return the value of `crucible_metadata`, which imports every model."""
        modules = [self.app.place.module] if self.app else []
        return list(dict.fromkeys(path for one in self.metadata for path in one.paths(finds.project, *modules)))

    def suspect(self, step: str) -> str | None:
        """Return the choice that another candidate may replace where a step of the trial fails.

        Suite and ``env.py`` are right about their choices: if these fail, the cause lies elsewhere.
        """
        if step == "application" and self.app is not None and "crucible_app" not in self.reasons:
            return self.app.place.path
        if step == "schema" and self.alembic is not None and self.metadata:
            return self.alembic
        if step == "schema" and self.metadata and "crucible_metadata" not in self.reasons:
            return self.metadata[0].place.path
        return None

    def options(self, finds: Finds) -> dict[str, str | list[str]]:
        """Return Crucible's options for these choices."""
        is_fastapi = self.app is not None and self.app.framework == "fastapi"
        # FastAPI's own mechanism overrides it. A suite needs it for rollback isolation only.
        names_session = self.get_session and is_fastapi and (self.shares_session or not self.has_suite)
        options: dict[str, str | list[str] | None] = {
            "crucible_app": self.app.place.path if self.app else None,
            "crucible_metadata": self.metadata_paths(finds),
            "crucible_alembic": self.alembic,
            "crucible_databases": list(self.databases),
            "crucible_isolation": "rollback" if self.shares_session and not is_on(finds) else None,
            "crucible_get_session": self.get_session.path if self.get_session and names_session else None,
            "crucible_access_token": self.token.place.path if self.token else None,
            "crucible_url_env": list(self.variables),
        }
        # A project that has configured its schema already keeps its own options.
        configured = [*SCHEMA, "crucible_databases"] if is_on(finds) else []
        return {name: value for name, value in options.items() if value and name not in configured}


def settle(finds: Finds, ask: Questions, without: Collection[str] = ()) -> Choices:
    """Make all choices; ask the user where there are several.

    Args:
        finds: The survey of the project.
        ask: The questions.
        without: The dotted paths that have been tried and do not work.

    Raises:
        UsageError: If there is no source for a schema, or the application uses SQLite.
    """
    _refuse_sqlite(finds)
    reasons: dict[str, str] = {}
    app = _one(finds, ask, "Several applications", "crucible_app", _applications(finds, without))
    if app is not None and _is_tested(finds, app):
        reasons["crucible_app"] = "the tests import it"
    chosen = _metadata(finds, ask, app, without, reasons)
    alembic = _alembic(finds, ask, without)
    if not chosen and not alembic and not is_on(finds):
        raise _nothing(finds)
    main, further = databases.split(finds, chosen) if not alembic else (chosen, ())
    tokens = [one for one in finds.token_functions if one.place.path not in without]
    session = _session(finds, ask, app, reasons)
    return Choices(
        app=app,
        metadata=main,
        alembic=alembic,
        get_session=session,
        token=_one(finds, ask, "Several functions that make tokens", "crucible_access_token", tokens),
        runner=_runner(finds),
        strict=finds.configuration.text("asyncio_mode") == "strict",
        tests=suite.folder(finds),
        has_suite=suite.exists(finds),
        shares_session="crucible_isolation" in reasons,
        databases=further,
        variables=tuple(databases.variables(finds)) if _needs_variables(finds) else (),
        reasons=reasons,
    )


def _needs_variables(finds: Finds) -> bool:
    """Return whether `crucible_url_env` may be written: in a project that uses Crucible, for its first tests only."""
    return not is_on(finds) or (not suite.exists(finds) and "crucible_url_env" not in finds.configuration.values)


def _refuse_sqlite(finds: Finds) -> None:
    engines = [one for one in finds.engines if not one.module.is_test and not one.module.is_aside]
    if not engines or is_on(finds) or not all((one.known_url or "").startswith("sqlite") for one in engines):
        return
    if "crucible_url_env" in finds.configuration.values and not all(map(literal_url, engines)):
        return  # SQLite is the default of a variable that the run sets
    place = engines[0].place.where(finds.project.root)
    driver = "asyncpg" if engines[0].is_async else "psycopg"
    raise UsageError(
        f"The application's engine uses SQLite: {place}.",
        why="Crucible tests on PostgreSQL, and does not redirect SQLite engines: a test that passes on one database may"
        " fail on the other.",
        do="If production uses PostgreSQL and the URL comes from the environment, write the variable into pytest's "
        f'configuration, crucible_url_env = ["DATABASE_URL=postgresql+{driver}"], and run `crucible init` again.',
    )


def _applications(finds: Finds, without: Collection[str]) -> list[Application]:
    """Return the applications that an option can name: those that the tests import first, then by usual names."""
    objects = [one for one in finds.applications if not one.is_factory]
    made = {one.made_by for one in objects}
    factories = [one for one in finds.applications if one.is_factory and not one.needs]
    factories = [one for one in factories if one.place.path not in made or _is_tested(finds, one)]
    found = [one for one in (*objects, *factories) if one.place.path not in without]
    tested = [path for path in finds.tested if any(_dotted(one.place) == path for one in found)]
    return sorted(found, key=lambda one: (_rank(one, tested), one.is_factory, _unusual(one)))


def _rank(app: Application, tested: list[str]) -> int:
    dotted = _dotted(app.place)
    return tested.index(dotted) if dotted in tested else len(tested)


def _unusual(app: Application) -> tuple[bool, bool]:
    return app.place.module.rpartition(".")[2] not in USUAL, app.place.name not in USUAL and not app.is_factory


def _is_tested(finds: Finds, app: Application) -> bool:
    return _dotted(app.place) in finds.tested


def _dotted(place: SourceLocation) -> str:
    return place.path.replace(":", ".")


def _metadata(
    finds: Finds, ask: Questions, app: Application | None, without: Collection[str], reasons: dict[str, str]
) -> tuple[Metadata, ...]:
    """Return the metadata of the schema: Alembic's target, else what the application imports, else any with models."""
    candidates = [one for one in finds.metadata if one.place.path not in without]
    targets = [one for one in candidates if one.is_one_of(finds.targets)]
    if targets and all(one.models for one in targets):
        reasons["crucible_metadata"] = "target_metadata of Alembic's env.py"
        return tuple(targets)
    found = [one for one in candidates if one.models] or candidates
    imports = reached(finds.project, app.place.module) if app else set[str]()
    found = [one for one in found if imports.intersection([one.place.module, *one.modules])] or found
    if len(found) < 2 or is_on(finds):
        return tuple(found)
    root = finds.project.root
    lines = [f"{one.place.path} ({one.place.where(root)}), {counted(len(one.models), 'model')}" for one in found]
    chosen = ask.choose("Several bases of models", ["all of them", *lines])
    return tuple(found) if chosen == 0 else (found[chosen - 1],)


def _alembic(finds: Finds, ask: Questions, without: Collection[str]) -> str | None:
    root = finds.project.root
    found = [one.config.relative_to(root).as_posix() for one in finds.migrations if one.versions]
    found = [name for name in found if name not in without]
    if not found or is_on(finds):
        return next(iter(found), None)
    return found[ask.choose("Several configurations of Alembic", found)]


def _session(finds: Finds, ask: Questions, app: Application | None, reasons: dict[str, str]) -> SourceLocation | None:
    """Return the session dependency: the one that the tests override, else one that the application depends on."""
    overridden = next((one for one in finds.overrides if one.gives_session), None)
    if overridden is not None and "crucible_get_session" not in finds.configuration.values:
        reasons["crucible_get_session"] = f"overridden in {overridden.place.where(finds.project.root)}"
        if overridden.is_shared and app is not None and app.framework == "fastapi":
            reasons["crucible_isolation"] = "the tests share their session with the application, in a transaction"
        places = {one.place.path: one.place for one in finds.session_dependencies}
        return places.get(overridden.place.path, overridden.place)
    if suite.exists(finds) and "crucible_get_session" not in finds.configuration.values:
        return None  # nothing is overridden, and so nothing is written
    used = [one for one in finds.session_dependencies if one.is_used] or list(finds.session_dependencies)
    chosen = _one(finds, ask, "Several functions that yield a session", "crucible_get_session", used)
    return chosen.place if chosen else None


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
    unread = "".join(_unread(finds))
    count = len(finds.project.code)
    return UsageError(
        f"There is no declarative base, MetaData or SQLModel table in {finds.project.root}, and no Alembic migration.",
        why=f"Crucible read {counted(count, 'module')} without importing any.{unread}",
        do="Run `crucible init` in the folder of an application that uses SQLAlchemy, or name it: `crucible init "
        "--root PATH`. If the models cannot be found by reading the source, set crucible_metadata by hand.",
    )


def _unread(finds: Finds) -> Iterator[str]:
    """Yield the reasons why models may have been missed."""
    broken = next((module for module in finds.project.modules if module.error), None)
    if broken is not None:
        yield f" {broken.path} could not be read: {broken.error}."
    if aside := [module for module in finds.project.modules if module.is_aside]:
        yield f" {counted(len(aside), 'module')} of migrations, docs and examples not counted."
