"""The suite's first tests: one or more for each layer, of what the project really holds.

::

    tests/
        conftest.py       fixtures for all
        fixtures/         modules of fixtures, named by the conftest
        unit/             may not touch the database
        integration/      the models and the application on PostgreSQL

A layer that has tests already gets none.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import database, http, python, routes, unit
from .changes import Draft
from .subject import Subject

BACKEND = '''\
@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """One event loop for all tests: a connection belongs to the loop that opened it."""
    return "asyncio"'''


def add(draft: Draft, subject: Subject) -> Iterator[str]:
    """Put the layers that the suite lacks into *draft*; a line for each thing that is left to do by hand."""
    tests = subject.finds.project.root / subject.choices.tests
    integration = _missing(
        tests,
        "integration",
        {"test_database.py": database.test_module(subject), "test_api.py": http.test_module(subject)},
    )
    new = {
        **_missing(
            tests, "unit", {"test_schemas.py": unit.schema(subject), "test_no_database.py": unit.no_database(subject)}
        ),
        **integration,
    }
    if not tests.exists():
        draft.put(tests / "__init__.py", "")
    for path, text in new.items():
        draft.put(path, text)
    if integration and (middleware := routes.refusing(subject.finds)):
        yield f"No test asks the application, which uses {middleware}: say in client_options what it lets through."
    if integration:
        yield from _fixtures(draft, subject, tests)
    if subject.choices.runner == "anyio" and not any(one.name == "anyio_backend" for one in subject.finds.fixtures):
        _backend(draft, subject, tests / "conftest.py")


def _missing(tests: Path, folder: str, files: dict[str, str | None]) -> dict[Path, str]:
    if any((tests / folder).glob("**/test_*.py")):
        return {}
    return {tests / folder / name: text for name, text in files.items() if text is not None}


def _fixtures(draft: Draft, subject: Subject, tests: Path) -> Iterator[str]:
    """The modules of fixtures that the tests of the integration layer ask for."""
    modules = {}
    folder = tests / subject.fixtures
    if subject.has_row_fixture:
        modules[_free(folder, "rows")] = database.rows(subject)
    if subject.is_sync and subject.choices.app is not None and subject.test_client is None:
        modules[_free(folder, "client")] = http.client(subject)
    plugins = [f"{subject.package}.{subject.fixtures}.{name}" for name in modules]
    if not modules:
        return
    conftest = tests / "conftest.py"
    source = draft.read(conftest)
    text = python.with_plugins(source, plugins) if source else _conftest(subject, plugins)
    if text is None:
        yield f"{conftest.relative_to(draft.root)} cannot be changed: add {', '.join(plugins)} to its pytest_plugins."
    else:
        draft.put(conftest, text)
    if subject.has_factories:
        modules["factories"] = database.factories(subject)
    for name, module in modules.items():
        draft.put(folder / f"{name}.py", module)
    if not (folder / "__init__.py").exists():
        draft.put(folder / "__init__.py", "")


def _free(folder: Path, name: str) -> str:
    """The name of a module of fixtures that is not there yet."""
    while (folder / f"{name}.py").exists():
        name = f"more_{name}"
    return name


def _conftest(subject: Subject, plugins: list[str]) -> str:
    docstring = "Fixtures for all tests, beside those of pytest-crucible."
    return python.with_plugins(subject.module(docstring, []), plugins) or ""


def _backend(draft: Draft, subject: Subject, conftest: Path) -> None:
    source = draft.read(conftest) or subject.module("Fixtures for all tests.", [])
    text = source if "import pytest\n" in source else (python.with_import(source, "import pytest"))
    draft.put(conftest, f"{text.rstrip()}\n\n\n{BACKEND}\n")
