"""Small projects, each with one fault or none."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_crucible.doctor import Diagnosis, Finding, Machine, case_of, diagnose

ASYNC = """
[project]
name = "app"
version = "1"
dependencies = ["fastapi", "sqlalchemy[asyncio]", "asyncpg"]

[dependency-groups]
test = ["pytest", "pytest-asyncio", "pytest-xdist"]

[tool.pytest]
asyncio_mode = "auto"
asyncio_default_fixture_loop_scope = "{loops}"
asyncio_default_test_loop_scope = "{loops}"
"""
ON = 'crucible_app = "app.main:app"\ncrucible_metadata = ["app.models:Base"]\n'
# As the lists of the sample projects want it: a machine on which nothing is wrong.
VERSIONS = {
    "pytest": "9.2.0",
    "pytest-asyncio": "1.5.0",
    "sqlalchemy": "2.1.9",
    "greenlet": "3.5.6",
    "testcontainers": "4.15.0",
}
REQUIRES = {
    "sqlalchemy": ('greenlet>=1; extra == "asyncio"', 'sqlalchemy[asyncio]; extra == "postgresql-asyncpg"'),
    "fastapi-users-db-sqlalchemy": ("sqlalchemy[asyncio]>=2",),
    "sqlmodel": ("SQLAlchemy>=2.0.14", 'SQLAlchemy[asyncio]; extra == "asyncio"'),
    "pytest-crucible": ("greenlet>=3",),
}
WELL = Machine(versions=VERSIONS, requires=REQUIRES, room={"memory": 8 << 30}, cache="/home/a/.cache", cpus=4)

Files = dict[str, str]


class Patient:
    """A project in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.machine = WELL

    def write(self, files: Files) -> Patient:
        """Put *files* into it."""
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), "utf-8")
        return self

    def on(self, machine: Machine | None = None, **changes: object) -> Patient:
        """Return the same project on another machine."""
        self.machine = replace(machine or self.machine, **changes)  # type: ignore[arg-type]
        return self

    def diagnosis(self, *ignore: str, without: tuple[str, ...] = ("import", "server")) -> Diagnosis:
        """Return what all checks find."""
        case = case_of(self.root, machine=self.machine)
        return diagnose(self.root, ignore=ignore, without=without, case=case)

    def found(self, code: str, **options: tuple[str, ...]) -> list[Finding]:
        """Return what the check of this code finds."""
        return [finding for finding in self.diagnosis(**options).findings if finding.code == code]

    def codes(self, **options: tuple[str, ...]) -> list[str]:
        """Return the codes of everything that is found."""
        return [finding.code for finding in self.diagnosis(**options).findings]


Make = Callable[..., Patient]


@pytest.fixture
def project_of(tmp_path: Path) -> Make:
    """Make a project of files; its configuration is that of an async one unless it brings its own."""

    def make(files: Files | None = None, *, loops: str = "session", on: bool = False, extra: str = "") -> Patient:
        configuration = ASYNC.format(loops=loops) + (ON if on else "") + extra
        return Patient(tmp_path).write({"pyproject.toml": configuration, **(files or {})})

    return make
