"""Checks of URLs that lead to production, and of engines that bypass their dialect."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from ...errors.masking import mask
from ...project.sqlite_engines import sqlite_engines
from ..case import Case
from ..findings import Finding

URL = re.compile(r"\bpostgres(?:ql)?(?:\+\w+)?://[^\s\"'<>]*")
NAME = r"\w*(?:DB|DATABASE|POSTGRES|PG|SQL)\w*HOST\w*"
HOST = re.compile(rf"^\s*(?:export\s+)?({NAME})\s*=\s*[\"']?([^\s\"'#]+)", re.IGNORECASE)
# Names that never resolve to a public host (RFC 2606, RFC 6761), and the container's own machine.
RESERVED = ("localhost", "test", "invalid", "example", "local")
EXAMPLES = ("example", "sample", "template", "dist", "prod")


def _in_files(case: Case) -> Iterator[tuple[str, int, str]]:
    """Yield every URL in a ``.env`` and in Alembic's configuration."""
    for path in [*_env_files(case.root), *dict.fromkeys(one.config for one in case.finds.migrations)]:
        for number, line in _lines(path):
            yield from ((case.at(path), number, found) for found in URL.findall(line))


def _env_files(root: Path) -> list[Path]:
    """Return the files that are loaded by default, without examples and those meant for production."""
    files = sorted({*root.glob(".env"), *root.glob(".env.*"), *root.glob("*.env")})
    return [path for path in files if path.is_file() and not any(word in path.name for word in EXAMPLES)]


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1):
        if not line.lstrip().startswith(("#", ";")):
            yield number, line


def production(case: Case) -> Iterator[Finding]:
    """Yield each line of a ``.env`` or an ``alembic.ini`` that leads to another machine."""
    if not case.settings.on:
        return
    for file, line, host in _hosts(case):
        if not is_local(host):
            yield Finding(
                f"A database URL names {mask(host)}, which is not this machine.",
                "Every process that reads it connects there: a script, a shell, a test without Crucible.",
                "Name a local server there, and give production its URL where it is deployed. Crucible redirects every "
                "SQLAlchemy engine of a run; for code without SQLAlchemy, name its variable in crucible_url_env.",
                file,
                line,
            )


def _hosts(case: Case) -> Iterator[tuple[str, int, str]]:
    for file, line, url in _in_files(case):
        yield file, line, host_of(url)
    for path in _env_files(case.root):
        for number, text in _lines(path):
            if found := HOST.match(text):
                yield case.at(path), number, found[2]


def host_of(url: str) -> str:
    """Return the host that a URL names; empty if it names none or cannot be parsed."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def is_local(host: str) -> bool:
    """Return whether a host is this machine, a container beside it, or a name reserved for examples."""
    if not host or "$" in host or "{" in host or "%" in host or host.startswith("/"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.rpartition(".")[2] in RESERVED or host == "host.docker.internal"
    return address.is_loopback or address.is_unspecified


def creator(case: Case) -> Iterator[Finding]:
    """Yield each engine with a connect function of its own, if its URL is a literal for PostgreSQL."""
    for engine in case.finds.engines if case.settings.on else ():
        if engine.has_creator and (engine.known_url or "").startswith("postgres"):
            yield Finding(
                "An engine is made with creator= or async_creator=.",
                "It bypasses its dialect, so it cannot be redirected to the test's database: Crucible refuses it "
                "before its first statement.",
                "Write the URL and connect_args, or a listener for “do_connect”, instead of the function.",
                case.where(engine.module),
                engine.place.line,
            )


def sqlite(case: Case) -> Iterator[Finding]:
    """Yield each engine of the tests that speaks SQLite, which nothing isolates."""
    if not case.settings.on or case.settings.other_dialects == "allow":
        return
    for engine in sqlite_engines(case.finds):
        yield Finding(
            "An engine of the tests speaks SQLite.",
            "Crucible redirects and isolates PostgreSQL only: what these tests write stays from test to test, and a run"
            " in which no test used PostgreSQL fails.",
            f'{engine.remedy(case.root)} If tests need it, set crucible_other_dialects = "allow".',
            case.at(engine.place.file),
            engine.place.line,
            severity="error" if engine.overridden else None,
        )
