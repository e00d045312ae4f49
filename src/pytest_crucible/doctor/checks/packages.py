"""Checks of the installed packages against their use in the project."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement
from packaging.version import Version

from ...settings.needed_versions import NEEDED
from ..case import Case
from ..findings import Finding
from ..probes.machine import numbers
from ..probes.requirements import required

OURS = "pytest-crucible"
# Drivers and plugins are dependencies of the application, not of Crucible: older versions are not tested.
ALSO = {
    "pytest-asyncio": f">={NEEDED['pytest-asyncio']}",
    "asyncpg": ">=0.29",
    "fastapi": ">=0.100",
    "testcontainers": ">=4.9",
}
# The plugin ends each run on older ones.
STARTS_FROM = {"pytest": (9,), "pytest-asyncio": (0, 24)}
ASYNC = "sqlalchemy.ext.asyncio"
# The last release that breaks, and the first pytest on which it does.
ALEMBIC_PLUGIN, BREAKS_ON = (0, 13, 1), (9, 2)
SHOWN = ("pytest", "sqlalchemy", "pytest-asyncio", "fastapi", "starlette", "alembic", "asyncpg", "psycopg", "psycopg2")


def greenlet(case: Case) -> Iterator[Finding]:
    """Check that greenlet is required: SQLAlchemy 2.1 no longer installs it, and its asyncio part needs it."""
    place = _first_import(case, ASYNC)
    if case.machine.version("sqlalchemy") < (2, 1) or place is None:
        return
    if _asks_for_no_greenlet(case):
        yield Finding(
            "The application uses sqlalchemy.ext.asyncio, and no dependency of it brings greenlet.",
            "SQLAlchemy 2.1 no longer installs greenlet, and its asyncio part does not work without it. Here "
            "pytest-crucible brings it; in production nothing does.",
            'Require "sqlalchemy[asyncio]" in the application\'s dependencies.',
            *place,
        )


def _asks_for_no_greenlet(case: Case) -> bool:
    """Return whether the project's requirements bring SQLAlchemy 2.1, but not greenlet."""
    brought = required((one for one in case.finds.requirements if one.name != OURS), case.machine)
    is_old = re.search(r"<\s*2\.1|[=~]=\s*2\.0", case.requirements.get("sqlalchemy", ""))
    return "sqlalchemy" in brought and "greenlet" not in brought and not is_old


def _first_import(case: Case, package: str) -> tuple[str, int] | None:
    for module in case.project.modules:
        for node in ast.walk(module.tree) if module.mentions("sqlalchemy") else ():
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(package):
                return case.where(module), node.lineno
            if isinstance(node, ast.Import) and any(alias.name.startswith(package) for alias in node.names):
                return case.where(module), node.lineno
    return None


def pytest_alembic(case: Case) -> Iterator[Finding]:
    """Check for pytest-alembic up to 0.13.1, which sets a private attribute that pytest 9.2 lacks."""
    version = case.machine.version("pytest-alembic")
    if version and version <= ALEMBIC_PLUGIN and case.machine.version("pytest") >= BREAKS_ON:
        yield Finding(
            f"pytest-alembic {case.machine.versions['pytest-alembic']} is installed with pytest "
            f"{case.machine.versions['pytest']}.",
            "It uses a private name of pytest that is gone ('TestCollector' object has no attribute '_nodeid'): "
            "collection stops in every project, even if its tests are not requested.",
            'Require "pytest<9.2" beside it, or uninstall it: Crucible has the same checks of migrations.',
        )


def unsupported(case: Case) -> Iterator[Finding]:
    """Yield each package whose version Crucible does not support."""
    if tuple(map(int, case.machine.python.split(".")[:2])) < (3, 10):
        yield Finding(f"Python {case.machine.python} runs the tests.", "Crucible needs 3.10.", "Use a newer Python.")
    wanted = {**_our_requirements(), **ALSO}
    for name, specifier in wanted.items():
        version = case.machine.versions.get(name)
        if version and not Requirement(f"x{specifier}").specifier.contains(Version(version), prereleases=True):
            yield Finding(
                f"{name} {version} is installed.",
                f"Crucible supports {name}{specifier}.",
                f'Run: pip install "{name}{specifier}"',
                severity="error" if numbers(version) < STARTS_FROM.get(name, ()) else None,
            )


def _our_requirements() -> dict[str, str]:
    parsed = (Requirement(text) for text in metadata.requires(OURS) or ())
    return {item.name.lower(): str(item.specifier) for item in parsed if not item.marker}


def shown_versions(case: Case) -> dict[str, str]:
    """Return the versions that a bug report should name."""
    versions = case.machine.versions
    found = {name: versions[name] for name in SHOWN if name in versions}
    return {"Python": case.machine.python, "pytest-crucible": versions.get(OURS, ""), **found}
