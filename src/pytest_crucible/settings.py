"""What the user set: one table of options, and how their values come about.

`OPTIONS` is the only place that names an option. The flags, the keys of the configuration file, the
environment variables, the header and the page in the docs all come from it. `resolve` is pure: it is
given what was found in each place and answers with frozen `Settings`, or raises a `UsageError`.

Precedence: flag, environment, file, default. An environment variable that is set and empty counts as
not set (continuous integration likes to export such); an empty flag clears what the file says.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from .errors import UsageError

ISOLATIONS = ("reset", "rollback", "clone")
TRUTHS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}

Kind = Literal["string", "list", "bool", "int"]
Check = Callable[[str, str], str]


def split_path(dotted: str, place: str) -> tuple[str, str]:
    """Split ``"app.main:app"`` into module and attribute.

    Args:
        dotted: What the user wrote.
        place: Where it was written, for the error.

    Raises:
        UsageError: If it is not of the form ``package.module:attribute``.
    """
    module, colon, attribute = dotted.partition(":")
    if colon and _is_dotted(module) and _is_dotted(attribute):
        return module, attribute
    raise UsageError(
        f"{place}: {dotted!r} is not a dotted path.",
        why="A dotted path names a module and, after a colon, what to take from it: package.module:attribute.",
        do=f"Write {_likely_path(dotted)!r}.",
    )


def mask(text: str) -> str:
    """*text* with the passwords of the URLs in it replaced by ``***``."""
    text = re.sub(r"(://[^:/?#@\s]*):\S*@", r"\1:***@", text)
    return re.sub(r"([?&](?:ssl)?password=)[^&\s]*", r"\1***", text)


def _is_dotted(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))


def _likely_path(dotted: str) -> str:
    """What was probably meant by something like ``app.main.app`` or ``app/main.py:app``."""
    text = re.sub(r"\.py(?=:|$)", "", dotted.strip()).replace("/", ".").replace("\\", ".").strip(".")
    module, colon, attribute = text.partition(":")
    if not colon:
        module, _, attribute = text.rpartition(".")
    likely = f"{module}:{attribute}"
    return likely if _is_dotted(module) and _is_dotted(attribute) else "app.main:app"


def _dotted(text: str, place: str) -> str:
    split_path(text, place)
    return text


def _isolation(text: str, place: str) -> str:
    if text in ISOLATIONS:
        return text
    raise UsageError(
        f"{place}: there is no isolation {text!r}.",
        why="The isolations are reset (real commits, then what changed is put back), rollback (one outer "
        "transaction) and clone (a database of the test's own).",
        do=_closest(text, ISOLATIONS, default='Leave it out for "reset".'),
    )


def _server(text: str, place: str) -> str:
    scheme, mark, rest = text.partition("://")
    if mark:
        _postgresql(scheme, text, place)
        return f"postgresql://{rest}"
    if text.partition(":")[0] in ("embedded", "container"):
        return text
    raise UsageError(
        f"{place}: there is no server {text!r}.",
        why="A server is embedded (started by Crucible), container (container:IMAGE) or the URL of one that runs.",
        do=_closest(
            text,
            ("embedded", "container"),
            default='Write "embedded", "container", or "postgresql://user:password@host:5432/postgres".',
        ),
    )


def _postgresql(scheme: str, text: str, place: str) -> None:
    if re.fullmatch(r"postgres(ql)?(\+\w+)?", scheme):
        return
    raise UsageError(
        f"{place}: {mask(text)!r} is not a PostgreSQL URL.",
        why="Crucible tests against PostgreSQL, and never against SQLite or another database as a substitute: JSONB "
        "operators, arrays, row locks, savepoints and the moment at which constraints are checked differ, so that "
        "tests pass there and the application fails in production.",
        do='Leave the option out: "embedded" starts a real PostgreSQL and needs nothing installed. Or write the URL '
        'of a server: "postgresql://user:password@host:5432/postgres".',
    )


def _database(text: str, place: str) -> str:
    name, equals, path = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(
            f"{place}: {text!r} does not say which database has which metadata.",
            why="An entry is the database's name as in the application's URL, an equals sign, and a dotted path.",
            do='Write "analytics=app.stats:Base" where the application connects to "postgresql://…/analytics".',
        )
    return f"{name.strip()}={_dotted(path.strip(), place)}"


def _url_env(text: str, place: str) -> str:
    name, equals, scheme = text.partition("=")
    if equals and name.isidentifier() and re.fullmatch(r"postgres(ql)?(\+\w+)?", scheme):
        return text
    raise UsageError(
        f"{place}: {text!r} does not say which variable gets which kind of URL.",
        why="An entry is the name of an environment variable, an equals sign, and how its URL begins.",
        do=f'Write "{name if name.isidentifier() else "DATABASE_URL"}=postgresql+asyncpg", or "=postgresql" for a '
        "URL that libpq, asyncpg and psycopg read.",
    )


def _word(text: str, place: str) -> str:
    if text.strip():
        return text
    raise UsageError(f"{place}: an entry is empty.", do="Remove it.")


def _closest(text: str, words: Iterable[str], *, default: str) -> str:
    close = get_close_matches(text.lower(), list(words), n=1)
    return f'Did you mean "{close[0]}"?' if close else default


@dataclass(frozen=True, slots=True)
class Option:
    """One option, declared once.

    Attributes:
        name: The key in the configuration file, ``crucible_app``.
        kind: What its value is.
        default: The value where nobody sets one.
        metavar: What stands for the value in ``pytest --help`` and the docs.
        help: One line, a noun phrase.
        check: Called with each string of the value and the place it came from; returns the value to use.
    """

    name: str
    kind: Kind
    default: str | tuple[str, ...] | int | None
    metavar: str
    help: str
    check: Check = _word

    @property
    def field(self) -> str:
        """The attribute of `Settings`: ``app``."""
        return self.name.removeprefix("crucible_")

    @property
    def flag(self) -> str:
        """The command-line flag: ``--crucible-app``."""
        return "--" + self.name.replace("_", "-")

    @property
    def env(self) -> str:
        """The environment variable: ``CRUCIBLE_APP``."""
        return self.name.upper()

    def source(self, kind: str) -> str:
        """Where a value came from, in words."""
        return {"flag": f"flag {self.flag}", "environment": f"environment {self.env}"}.get(kind, "configuration file")

    def read(self, given: object, kind: str) -> str | tuple[str, ...] | int | None:
        """The value of *given*, which was found in a ``"flag"``, the ``"environment"`` or the ``"file"``."""
        place = f"{self.name} ({self.source(kind)})"
        if self.kind == "list":
            return tuple(self.check(item, place) for item in self._items(given, kind, place))
        if self.kind == "bool":
            return self._truth(given, place)
        if given == "":
            return self.default
        if self.kind == "int":
            return self._integer(given, place)
        if isinstance(given, str):
            return self.check(given, place)
        raise self._wrong(given, place, "one string")

    def _items(self, given: object, kind: str, place: str) -> list[str]:
        if isinstance(given, str):
            return self._split(given, place)
        if not isinstance(given, (list, tuple)) or not all(isinstance(item, str) for item in given):
            raise self._wrong(given, place, "a list of strings")
        if kind == "flag":
            return [word for item in given for word in self._split(item, place)]
        return list(given)

    def _split(self, text: str, place: str) -> list[str]:
        try:
            return shlex.split(text)
        except ValueError as error:
            raise UsageError(
                f"{place}: {text!r} cannot be split into words: {error}.",
                why="A list in one string is split as a shell does it.",
                do="Close the quotes.",
            ) from error

    def _truth(self, given: object, place: str) -> bool:
        if isinstance(given, bool):
            return given
        if isinstance(given, str) and given.strip().lower() in TRUTHS:
            return TRUTHS[given.strip().lower()]
        raise self._wrong(given, place, "yes or no (1, true, yes, on; 0, false, no, off)")

    def _integer(self, given: object, place: str) -> int:
        if isinstance(given, int) and not isinstance(given, bool):
            return given
        if isinstance(given, str) and re.fullmatch(r"[+-]?[0-9]+", given.strip()):
            return int(given)
        raise self._wrong(given, place, "an integer")

    def _wrong(self, given: object, place: str, wanted: str) -> UsageError:
        return UsageError(f"{place}: {given!r} is not {wanted}.", do=f"Write {self.metavar}.")


OPTIONS: tuple[Option, ...] = (
    Option(
        "crucible_app",
        "string",
        None,
        '"app.main:app"',
        "an ASGI application, or a factory without arguments",
        _dotted,
    ),
    Option(
        "crucible_metadata",
        "list",
        (),
        '["app.models:Base"]',
        "declarative bases, `MetaData` or `SQLModel`: what the schema is built from",
        _dotted,
    ),
    Option(
        "crucible_alembic",
        "string",
        None,
        '"alembic.ini"',
        "build the schema by migrating instead; wins where `crucible_metadata` is set too",
    ),
    Option(
        "crucible_databases",
        "list",
        (),
        '["analytics=app.stats:Base"]',
        "further databases, by the name in the application's URLs",
        _database,
    ),
    Option("crucible_extensions", "list", (), '["citext"]', "extensions to create first"),
    Option(
        "crucible_load",
        "string",
        None,
        '"tests.data:load"',
        "a callable, sync or async, that fills the template, once per fingerprint",
        _dotted,
    ),
    Option(
        "crucible_server",
        "string",
        "embedded",
        '"embedded"',
        'which PostgreSQL: `"embedded"`, `"container"`, `"container:IMAGE"` or `"postgresql://…"`',
        _server,
    ),
    Option("crucible_locale", "string", None, '"C.UTF-8"', "locale and provider of the databases, where ordering matters"),
    Option(
        "crucible_isolation",
        "string",
        "reset",
        '"reset"',
        'how tests are kept apart: `"reset"`, `"rollback"` or `"clone"`',
        _isolation,
    ),
    Option(
        "crucible_get_session",
        "string",
        None,
        '"app.database:get_db"',
        "in rollback isolation, the dependency that is overridden to yield `db_session`",
        _dotted,
    ),
    Option(
        "crucible_access_token",
        "string",
        None,
        '"app.security:create_access_token"',
        "mints tokens for the auth fixtures",
        _dotted,
    ),
    Option(
        "crucible_url_env",
        "list",
        (),
        '["DATABASE_URL=postgresql+asyncpg"]',
        "environment variables that get the worker database's URL, for code outside SQLAlchemy",
        _url_env,
    ),
    Option(
        "crucible_no_database",
        "list",
        (),
        '["tests/unit"]',
        "folders and files whose tests get an error if they touch a database",
    ),
    Option("crucible_seed", "int", None, "42", "the seed of all generated data"),
    Option("crucible_keep_failed", "bool", False, "true", "keep the database of a failed test"),
)


@dataclass(frozen=True)
class Settings:
    """What the user set, checked and frozen. The attributes are the options without their prefix."""

    root: Path
    app: str | None = None
    metadata: tuple[str, ...] = ()
    alembic: str | None = None
    databases: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    load: str | None = None
    server: str = "embedded"
    locale: str | None = None
    isolation: str = "reset"
    get_session: str | None = None
    access_token: str | None = None
    url_env: tuple[str, ...] = ()
    no_database: tuple[str, ...] = ()
    seed: int | None = None
    keep_failed: bool = False
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def on(self) -> bool:
        """Whether the plugin has anything to do: without a schema it pays and prints nothing."""
        return bool(self.metadata or self.alembic or self.databases)

    def header(self) -> list[str]:
        """The lines of the run's header: the server, the isolation, and each value that is not the default."""
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
    """Settle every option.

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
        found = {
            "flag": flags.get(option.name),
            "environment": environ.get(option.env) or None,
            "file": file.get(option.name),
        }
        for kind, given in found.items():
            if given is not None:
                values[option.field] = option.read(given, kind)
                sources[option.name] = kind
                break
    return Settings(root=root, sources=sources, **values)
