"""Where URLs lead: to SQLite instead of PostgreSQL, to production, and past the dialect."""

from __future__ import annotations

import ast
import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from ..masking import mask
from ..project.syntax import last
from .case import Case
from .findings import Finding

URL = re.compile(r"\b(?:postgres(?:ql)?|sqlite)(?:\+\w+)?://[^\s\"'<>]*")
NAME = r"\w*(?:DB|DATABASE|POSTGRES|PG|SQL)\w*HOST\w*"
HOST = re.compile(rf"^\s*(?:export\s+)?({NAME})\s*=\s*[\"']?([^\s\"'#]+)", re.IGNORECASE)
DRIVERS = ("asyncpg", "psycopg", "psycopg2", "psycopg2-binary", "psycopg-binary", "pg8000", "aiopg")
# Names that never lead anywhere (RFC 2606, RFC 6761), and the container's own machine.
USERS = {"create_engine", "create_async_engine", "setenv", "setdefault", "setitem", "setattr", "make_url", "Settings"}
RESERVED = ("localhost", "test", "invalid", "example", "local")
EXAMPLES = ("example", "sample", "template", "dist", "prod")


def sqlite(case: Case) -> Iterator[Finding]:
    """SQLite in tests of an application that uses PostgreSQL."""
    if not _uses_postgresql(case):
        return
    for file, line, url in (*_in_tests(case), *_in_files(case)):
        if url.startswith("sqlite"):
            yield Finding(
                f"Tests use SQLite ({url}), the application PostgreSQL.",
                "JSONB, arrays, row locks, savepoints, sequences and the moment at which constraints are checked "
                "differ: tests pass there, and the application fails in production.",
                "Delete the URL. With Crucible every engine of the application leads to a real PostgreSQL, and nothing "
                "has to be installed.",
                file,
                line,
            )


def _uses_postgresql(case: Case) -> bool:
    if any(name in case.requirements for name in DRIVERS):
        return True
    engines = (engine for engine in case.finds.engines if not engine.module.is_test)
    return any((engine.known_url or "").startswith("postgres") for engine in engines)


def _in_tests(case: Case) -> Iterator[tuple[str, int, str]]:
    """Every URL that a test module puts to use; one in a list of examples is none."""
    for module in case.project.tests:
        for node in ast.walk(module.tree):
            for value in _put_to_use(node):
                text = value.values[0] if isinstance(value, ast.JoinedStr) and value.values else value
                if isinstance(text, ast.Constant) and isinstance(text.value, str) and URL.match(text.value):
                    yield case.where(module), text.lineno, text.value


def _put_to_use(node: ast.AST) -> Iterator[ast.expr | None]:
    """The values that are assigned, returned, yielded, or given to what makes an engine or sets a variable."""
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.Return | ast.Yield):
        yield node.value
    elif isinstance(node, ast.Call) and last(node) in USERS:
        yield from (*node.args, *(word.value for word in node.keywords))


def _in_files(case: Case) -> Iterator[tuple[str, int, str]]:
    """Every URL in a ``.env`` and in Alembic's configuration."""
    for path in [*_env_files(case.root), *dict.fromkeys(one.config for one in case.finds.migrations)]:
        for number, line in _lines(path):
            yield from ((case.at(path), number, found) for found in URL.findall(line))


def _env_files(root: Path) -> list[Path]:
    """Those that are read by themselves: an example is not, and one for production is meant to be."""
    files = sorted({*root.glob(".env"), *root.glob(".env.*"), *root.glob("*.env")})
    return [path for path in files if path.is_file() and not any(word in path.name for word in EXAMPLES)]


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1):
        if not line.lstrip().startswith(("#", ";")):
            yield number, line


def production(case: Case) -> Iterator[Finding]:
    """A ``.env``, or a default of the settings, that leads to another machine."""
    for file, line, host in _hosts(case):
        if not is_local(host):
            yield Finding(
                f"A database URL leads to {mask(host)}, which is not this machine.",
                "Every process that reads it connects there: a script, a shell, a test without Crucible."
                if case.settings.on
                else "A test that forgets to replace it writes to a database that somebody else uses.",
                "Name a local server there, and give production its URL where it is deployed."
                + (" Crucible leads every SQLAlchemy engine of a run elsewhere; for code without SQLAlchemy, name "
                   "its variable in crucible_url_env." if case.settings.on else ""),
                file,
                line,
                severity="note" if case.settings.on else "warning",
            )  # fmt: skip


def _hosts(case: Case) -> Iterator[tuple[str, int, str]]:
    for file, line, url in _in_files(case):
        yield file, line, host_of(url)
    for path in _env_files(case.root):
        for number, text in _lines(path):
            if found := HOST.match(text):
                yield case.at(path), number, found[2]
    for engine in case.finds.engines:
        if engine.known_url and URL.match(engine.known_url) and not case.settings.on:
            yield case.where(engine.module), engine.place.line, host_of(engine.known_url)


def host_of(url: str) -> str:
    """The host that a URL names; empty for none, and where it cannot be told."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def is_local(host: str) -> bool:
    """Whether a host is this machine, a container beside it, or a name that is reserved for examples."""
    if not host or "$" in host or "{" in host or "%" in host or host.startswith("/"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.rpartition(".")[2] in RESERVED or host == "host.docker.internal"
    return address.is_loopback or address.is_unspecified


def creator(case: Case) -> Iterator[Finding]:
    """An engine with ``creator=`` connects by itself."""
    for engine in case.finds.engines:
        if engine.has_creator and not (engine.known_url or "").startswith("sqlite"):
            on = case.settings.on
            yield Finding(
                "An engine is made with creator= or async_creator=.",
                "It goes past its dialect, so nothing can lead it to the test's database: Crucible refuses it before "
                "its first statement.",
                "Write the URL and connect_args, or a listener for “do_connect”, instead of the function.",
                case.where(engine.module),
                engine.place.line,
                severity="error" if on else "note",
            )
