"""The table of all checks: codes, severities and the page in the docs come from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from .case import Case
from .checks import event_loops as loops
from .checks import fixtures as recipe
from .checks import machine as room
from .checks import models, plugins, preparations, transactions, urls, wide_sessions
from .checks import packages as environment
from .checks import server as leftovers
from .checks import settings as configured
from .findings import Finding, Severity


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        code: The name by which its findings are ignored and documented.
        severity: The severity, unless the finding sets its own.
        meaning: One line for the docs: the fault that it finds.
        run: The function that examines the case.
        needs: The step beyond reading files: ``import`` of the user's code, or queries to the ``server``.
    """

    code: str
    severity: Severity
    meaning: str
    run: Callable[[Case], Iterable[Finding]]
    needs: Literal["", "import", "server"] = ""


CHECKS: tuple[Check, ...] = (
    # Event loops.
    Check(
        "loop-scope-mismatch",
        "error",
        "an async fixture that outlives its event loop, or opens a connection on another loop than the tests'",
        loops.scope_mismatch,
    ),
    Check(
        "event-loop-fixture", "warning", "the fixture `event_loop`, which pytest-asyncio 1.0 removed", loops.event_loop
    ),
    Check(
        "pooled-async-engine", "note", "an async engine with a pool, and tests on function loops", loops.pooled_engine
    ),
    # Transactions.
    Check(
        "commits-every-test",
        "error",
        "a rollback after a `begin()` block that has committed, or a block around the test that nothing rolls back",
        transactions.commits_every_test,
    ),
    Check("session-shared", "note", "the application is given the test's own session", recipe.session_shared),
    Check(
        "wide-session-writes",
        "warning",
        "a fixture of a wider scope than function that holds one session open, through which tests write",
        wide_sessions.wide_sessions,
    ),
    # What prepares the database.
    Check(
        "creates-database",
        "note",
        "a fixture or a hook that runs `CREATE DATABASE` or `DROP DATABASE`",
        preparations.creates_database,
    ),
    Check(
        "schema-per-test",
        "warning",
        "a fixture or a hook that makes the schema for each test, and what that costs",
        preparations.schema_per_test,
    ),
    # Where databases are.
    Check("production-url", "note", "a `.env` or an `alembic.ini` that leads to another machine", urls.production),
    Check("sqlite-engine", "warning", "an engine of the tests that speaks SQLite", urls.sqlite),
    Check("engine-creator", "error", "an engine with `creator=` or `async_creator=`", urls.creator),
    Check(
        "model-not-imported",
        "error",
        "a model in a module that neither the application nor the metadata's module imports",
        models.not_imported,
    ),
    # Hand-written fixtures.
    Check("faker-seed", "warning", "`faker_seed`, which does not reach Polyfactory", recipe.faker_seed),
    Check("shared-headers", "warning", "a fixture that changes the client it receives", recipe.shared_headers),
    Check("overrides-cleared", "warning", "`dependency_overrides.clear()`", recipe.overrides_cleared),
    Check(
        "lifespan-not-run",
        "warning",
        "httpx's `ASGITransport` with an application that has a lifespan",
        recipe.lifespan_not_run,
    ),
    Check("testcontainers-moved", "warning", "`testcontainers.postgres`, which has moved", recipe.container_moved),
    Check(
        "url-unchanged", "warning", "a replacement in `get_connection_url()` that does nothing", recipe.url_unchanged
    ),
    Check("container-per-worker", "warning", "a session fixture that starts a container", recipe.container_per_worker),
    # Packages.
    Check("greenlet-missing", "warning", "SQLAlchemy 2.1 without greenlet", environment.greenlet),
    Check("pytest-alembic", "error", "pytest-alembic up to 0.13.1 with pytest 9.2", environment.pytest_alembic),
    Check("version-unsupported", "warning", "a version that Crucible does not support", environment.unsupported),
    Check("names-clash", "warning", "another plugin with a fixture of the same name", plugins.clashes),
    Check("fixture-shadowed", "note", "a fixture of the project that overrides Crucible's", plugins.shadowed),
    # Settings.
    Check("crucible-off", "note", "Crucible is not configured", configured.off),
    Check("setting-wrong", "error", "a setting that is invalid or does not exist", configured.setting_wrong),
    Check("migrations-missing", "error", "`crucible_alembic` leads to no `env.py`", configured.migrations_missing),
    Check(
        "schema-wrong", "error", "`crucible_schema` matches no file, or is not the only source", configured.schema_wrong
    ),
    Check("path-missing", "error", "a setting names a file or folder that does not exist", configured.path_missing),
    Check("configuration-ignored", "warning", "a second configuration, which pytest does not read", configured.several),
    Check("unreadable-module", "warning", "a module that cannot be parsed", configured.unreadable),
    Check("extension-missing", "error", "an extension that the embedded server lacks", configured.extension_missing),
    Check("import-fails", "error", "an object of a setting cannot be imported", configured.import_fails, "import"),
    # This machine.
    Check("room", "warning", "little room for an embedded server's data", room.data_room),
    Check("cache", "warning", "the cache folder is full or not writable", room.cache),
    Check("file-descriptors", "warning", "a low limit of open files", room.descriptors),
    Check("runs-as-root", "note", "the tests run as root", room.root),
    Check("stale-processes", "note", "a server of a dead run, or the folder that it has left", room.stale_processes),
    # The server.
    Check("server-unreachable", "error", "the server cannot be started or reached", leftovers.unreachable, "server"),
    Check(
        "stale-databases",
        "note",
        "databases of dead processes, kept failures, many templates",
        leftovers.stale,
        "server",
    ),
    Check(
        "too-many-connections",
        "warning",
        "the pools of all workers together exceed the server's `max_connections`",
        leftovers.connections,
        "server",
    ),
)
