"""The table of options, and the settings that their values make.

`OPTIONS` is the only place that names an option. The flags, the keys of the configuration file, the
environment variables, the header and the page in the docs all come from it. `resolve` is pure: it takes
the values from each place and returns frozen `Settings`, or raises a `UsageError`.

Precedence: flag, environment, file, default. An environment variable that is set and empty counts as
not set (continuous integration often exports such); an empty flag clears the value of the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ..errors.masking import mask
from . import checks
from .option import Option
from .url_variables import UrlVariable, parsed

ISOLATIONS = checks.ISOLATIONS

OPTIONS: tuple[Option, ...] = (
    Option(
        "crucible_app",
        "string",
        None,
        '"app.main:app"',
        "an ASGI application, or a factory without arguments",
        checks.dotted,
    ),
    Option(
        "crucible_metadata",
        "list",
        (),
        '["app.models:Base"]',
        "declarative bases, `MetaData` or `SQLModel`: what the schema is built from",
        checks.dotted,
    ),
    Option(
        "crucible_alembic",
        "string",
        None,
        '"alembic.ini"',
        "build the schema by migrating instead; wins where `crucible_metadata` is set too",
    ),
    Option(
        "crucible_schema",
        "list",
        (),
        '["db/schema.sql"]',
        'build the schema by SQL scripts instead, or by a callable, `"tests.schema:build"`; wins where '
        "`crucible_metadata` is set too",
        checks.schema,
        may_be_string=True,
    ),
    Option(
        "crucible_databases",
        "list",
        (),
        '["analytics=app.stats:Base"]',
        "further databases, by the name in the application's URLs",
        checks.database,
    ),
    Option("crucible_extensions", "list", (), '["citext"]', "extensions to create first"),
    Option(
        "crucible_load",
        "string",
        None,
        '"tests.data:load"',
        "a callable, sync or async, that fills the template, once per fingerprint",
        checks.dotted,
    ),
    Option(
        "crucible_server",
        "string",
        "embedded",
        '"embedded"',
        'which PostgreSQL: `"embedded"`, `"container"`, `"container:IMAGE"`, `"container-per-worker"`, '
        '`"postgresql://…"`',
        checks.server,
    ),
    Option(
        "crucible_locale", "string", None, '"C.UTF-8"', "locale and provider of the databases, where ordering matters"
    ),
    Option(
        "crucible_isolation",
        "string",
        "reset",
        '"reset"',
        'how tests are kept apart: `"reset"`, `"rollback"` or `"clone"`',
        checks.isolation,
    ),
    Option(
        "crucible_get_session",
        "string",
        None,
        '"app.database:get_db"',
        "in rollback isolation, the dependency that is overridden to yield `db_session`",
        checks.dotted,
    ),
    Option(
        "crucible_expire_on_commit",
        "string",
        "auto",
        '"auto"',
        "whether the tests' sessions expire what they commit: `\"auto\"` (`sync_session` as the application's do, "
        '`db_session` never), `"application"` (both as the application\'s), `"always"`, `"never"`',
        checks.expiry,
    ),
    Option(
        "crucible_access_token",
        "string",
        None,
        '"app.security:create_access_token"',
        "mints the access token of a user, for the fixtures of authentication",
        checks.dotted,
    ),
    Option(
        "crucible_url_env",
        "list",
        (),
        '["DATABASE_URL=postgresql+asyncpg"]',
        "environment variables that get the worker database's URL, for code outside SQLAlchemy",
        checks.url_env,
    ),
    Option(
        "crucible_no_database",
        "list",
        (),
        '["tests/unit"]',
        "folders and files whose tests get an error if they touch a database",
    ),
    Option(
        "crucible_other_dialects",
        "string",
        "warn",
        '"allow"',
        "what an engine of the project's own is that speaks SQLite, MySQL or the like, which nothing isolates: "
        '`"warn"`, `"error"` or `"allow"`',
        checks.other_dialects,
    ),
    Option("crucible_seed", "int", 0, "42", "the seed of all generated data"),
    Option(
        "crucible_linger",
        "int",
        0,
        "300",
        "the seconds for which an embedded server or a container lives on after its last run, for editors that run "
        "one test at a time",
    ),
    Option("crucible_keep_failed", "bool", False, "true", "keep the database of a failed test"),
    Option(
        "crucible_rebuild", "bool", False, "true", "build the template anew, though one with its fingerprint is there"
    ),
    Option(
        "crucible_leaks",
        "string",
        "harmful",
        '"harmful"',
        'which transactions that a test leaves open are reported: `"harmful"` (it wrote, is aborted, or locks) or '
        '`"all"`',
        checks.leaks,
    ),
    Option(
        "crucible_race",
        "string",
        None,
        '"a2b3a1"',
        "the one order of their steps in which the actors of `race` run, from the report of its failure",
    ),
)


class Settings(NamedTuple):  # as with `Option`, because of the time of its import
    """The user's settings, checked and frozen. The attributes are the options without their prefix."""

    root: Path
    app: str | None = None
    metadata: tuple[str, ...] = ()
    alembic: str | None = None
    schema: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    load: str | None = None
    server: str = "embedded"
    locale: str | None = None
    isolation: str = "reset"
    get_session: str | None = None
    expire_on_commit: str = "auto"
    access_token: str | None = None
    url_env: tuple[str, ...] = ()
    no_database: tuple[str, ...] = ()
    other_dialects: str = "warn"
    seed: int = 0
    linger: int = 0
    keep_failed: bool = False
    rebuild: bool = False
    leaks: str = "harmful"
    race: str | None = None
    sources: Mapping[str, str] = MappingProxyType({})

    @property
    def on(self) -> bool:
        """True if the plugin is active: without a schema it costs nothing and prints nothing."""
        return self.has_main or bool(self.databases)

    @property
    def has_main(self) -> bool:
        """True if an option other than ``crucible_databases`` says what the schema is built from."""
        return bool(self.metadata or self.alembic or self.schema)

    @property
    def paths(self) -> tuple[str, ...]:
        """Every dotted path in the settings."""
        return tuple(path for _, path in self.named_paths())

    def named_paths(self) -> list[tuple[str, str]]:
        """Return every dotted path in the settings, each with its option."""
        metadata = [("crucible_metadata", path) for path in self.metadata]
        schema = [("crucible_schema", path) for path in self.schema if checks.is_path_of_callable(path)]
        further = [("crucible_databases", path) for _, path in self._entries() if checks.is_path_of_callable(path)]
        options = ("app", "load", "get_session", "access_token")
        single = [(f"crucible_{name}", path) for name in options if (path := getattr(self, name))]
        return [*metadata, *schema, *further, *single]

    @property
    def packages(self) -> frozenset[str]:
        """The top-level packages of the application, as far as options name them."""
        return frozenset(path.partition(":")[0].partition(".")[0] for path in self.paths)

    def by_database(self) -> dict[str | None, Settings]:
        """Return the settings of each database, by its name in the application's URLs, the main one first.

        Several entries of ``crucible_databases`` with one name are several bases in one database. Without
        ``crucible_metadata``, ``crucible_alembic`` and ``crucible_schema``, the first entry is the main database.
        Otherwise the main database has the name None, and every name that no entry has leads to it.
        """
        paths: dict[str | None, tuple[str, ...]] = {}
        for name, path in self._entries():
            paths[name] = (*paths.get(name, ()), path)
        shapes: dict[str | None, Settings] = {None: self} if self.has_main or not paths else {}
        for database, own in paths.items():
            load = None if shapes else self.load
            alembic = next(filter(checks.is_alembic, own), None)
            schema = tuple(filter(checks.is_sql, own))
            metadata = tuple(filter(checks.is_path_of_callable, own))
            shapes[database] = self._replace(metadata=metadata, alembic=alembic, schema=schema, load=load)
        return shapes

    def variables(self) -> list[UrlVariable]:
        """Return the variables of ``crucible_url_env``."""
        return list(filter(None, map(parsed, self.url_env)))

    def option_of(self, path: str) -> str:
        """Return the option in which *path*, of what a schema is built from, stands."""
        if path in {own for _, own in self._entries()}:
            return "crucible_databases"
        return "crucible_metadata" if path in self.metadata else "crucible_schema"

    def _entries(self) -> list[tuple[str, str]]:
        parts = [entry.partition("=") for entry in self.databases]
        return [(name, path) for name, _, path in parts]

    def header(self) -> list[str]:
        """Return the lines of the run's header: server, isolation, and each value that is not the default."""
        if not self.on:
            return []
        kind = "external" if "://" in self.server else self.server.partition(":")[0]
        return [f"crucible: {kind} PostgreSQL, isolation {self.isolation}", *map(self._line, self._changed())]

    def _changed(self) -> list[Option]:
        return [option for option in OPTIONS if getattr(self, option.field) != option.default]

    def _line(self, option: Option) -> str:
        value = getattr(self, option.field)
        written = mask(json.dumps(value, ensure_ascii=False))
        return f"  {option.name} = {written} ({option.source(self.sources.get(option.name, 'file'))})"


def resolve(
    root: Path, *, flags: Mapping[str, object], environ: Mapping[str, str], file: Mapping[str, object]
) -> Settings:
    """Return the settings, with a value for every option.

    Args:
        root: The project's root folder.
        flags: Values from the command line by option name; None where the flag was not given. Several values of
            a list are a list, each shell-split.
        environ: The environment. Lists are shell-split; bools are 1, true, yes, on, 0, false, no or off.
        file: Values from the configuration file by option name; None where the key is absent.

    Raises:
        UsageError: If a value is not what its option takes.
    """
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for option in OPTIONS:
        candidates = {
            "flag": flags.get(option.name),
            "environment": environ.get(option.env) or None,
            "file": file.get(option.name),
        }
        for kind, value in candidates.items():
            if value is not None:
                values[option.field] = option.read(value, kind)
                sources[option.name] = kind
                break
    return Settings(root=root, sources=sources, **values)
