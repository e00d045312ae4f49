"""The suite's first tests, from fixed templates: one module for each property that every application has.

::

    tests/
        unit/             may not touch the database
        integration/      the models and the application on PostgreSQL

A folder that has tests already gets none.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from textwrap import indent

from ..project.survey import Finds
from .choices import Choices
from .draft import Draft
from .trial import TrialOutcome

# Middleware that treats a test client differently from a browser: it checks the host, or the scheme.
REFUSING = ("TrustedHostMiddleware", "HTTPSRedirectMiddleware")
MARKS = {"asyncio": "pytest.mark.asyncio", "anyio": "pytest.mark.anyio"}
UNKNOWN = "/there/is/no/such/page"

TABLES = '''\
"""The models on PostgreSQL."""

import pytest
from sqlalchemy import select
from sqlalchemy.{package} import {session}

{imports}

{marks}


{define} test_all_tables_exist({fixture}: {session}, subtests: pytest.Subtests):
    """Every table of the models can be selected from, with all its columns."""
{loop}
'''
ASYNC_LOOP = """\
for name, table in {tables}.tables.items():
    with subtests.test(table=name):
        async with db_session.begin_nested():
            await db_session.execute(select(table).limit(1))"""
SYNC_LOOP = """\
for name, table in {tables}.tables.items():
    with subtests.test(table=name), sync_session.begin_nested():
        sync_session.execute(select(table).limit(1))"""

ASYNC_API = '''\
"""The application over HTTP, started as in production, with sessions of its own."""

import pytest
from httpx import AsyncClient

{marks}


async def test_an_unknown_page_is_not_found(async_client: AsyncClient):
    """The application starts, and answers a path that no route has."""
    response = await async_client.get("{path}")
    assert response.status_code == 404
'''
SYNC_API = '''\
"""The application over HTTP, started as in production, with sessions of its own."""

import pytest
from {framework}.testclient import TestClient

from {module} import {name}

{marks}


def test_an_unknown_page_is_not_found():
    """The application starts, and answers a path that no route has."""
    with TestClient({app}) as client:
        response = client.get("{path}")
    assert response.status_code == 404
'''
NO_DATABASE = '''\
"""The rule that holds for every test in this folder."""

import pytest
from pytest_crucible import RedirectError

from {module} import {name}
{marks}

{define} test_the_database_is_out_of_reach():
    """A unit test that connects gets an error, however deep in the code it does."""
    with pytest.raises(RedirectError):
        {wait}{name}.connect()
'''
ROUTES = '''\
"""The routes that declare security refuse requests without credentials."""

from pytest_crucible.auth import route_matrix

# Any client may call these; a new route is listed here, or declares security. With a fixture test_user and without
# the last line, expired, tampered and forged tokens are tried as well.
test_routes_refuse_bad_credentials = route_matrix(
    public=[
{public}    ],
    credentials=["missing"],
)
'''
MIGRATIONS = '''\
"""The migrations build the schema."""

from pytest_crucible.migrations import test_single_head, test_upgrade

__all__ = ["test_single_head", "test_upgrade"]
'''
BACKEND = '''\
@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """One event loop for all tests: a connection belongs to the loop that opened it."""
    return "asyncio"
'''


def add(draft: Draft, finds: Finds, choices: Choices) -> Iterator[str]:
    """Put the layers that the suite lacks into *draft*, and yield a line for each step left to the user."""
    tests = finds.project.root / choices.tests
    refusing = _refusing(finds)
    api = None if refusing else _api(choices)
    files = {"test_database.py": _tables(finds, choices), "test_api.py": api}
    files["test_migrations.py"] = MIGRATIONS if choices.alembic else None
    integration = _missing(tests / "integration", files)
    rule = _no_database(finds, choices) if _is_forbidden(finds, f"{choices.tests}/unit") else None
    unit = _missing(tests / "unit", {"test_no_database.py": rule})
    for path, text in (integration | unit).items():
        draft.put(path, text)
    if integration and refusing:
        yield f"No test calls the application, which uses {refusing}: set a base_url that it accepts in client_options."
    if choices.runner == "anyio" and not any(one.name == "anyio_backend" for one in finds.fixtures):
        _add_backend(draft, tests / "conftest.py")


def add_routes(draft: Draft, choices: Choices, outcome: TrialOutcome) -> Iterator[str]:
    """Put a test of the routes into *draft*, where some declare security; yield a line if they do not refuse."""
    if outcome.faults:
        yield (
            f"No test of the routes is written: {', '.join(outcome.faults)} declare security, and answer without"
            " credentials (docs/auth.md)."
        )
    elif outcome.public:
        lines = "".join(f'        "{name}",\n' for name in outcome.public)
        draft.put(draft.root / choices.tests / "integration" / "test_routes.py", ROUTES.format(public=lines))


def _missing(folder: Path, files: dict[str, str | None]) -> dict[Path, str]:
    if any(folder.glob("**/test_*.py")):
        return {}
    return {folder / name: text for name, text in files.items() if text is not None}


def _refusing(finds: Finds) -> str | None:
    """Return the middleware that would refuse the test client, if there is one."""
    sources = [module.source for module in finds.project.code]
    return next((name for name in REFUSING if any(name in source for source in sources)), None)


def _tables(finds: Finds, choices: Choices) -> str | None:
    """Return a module that selects from every mapped table, through a session of the application's database."""
    found = list(_metadata(finds, choices))
    if not found:
        return None
    is_sync = choices.runner == "sync"
    loop = SYNC_LOOP if is_sync else ASYNC_LOOP
    expressions = [expression for _, expression in found]
    if len(found) == 1:
        loop = loop.format(tables=expressions[0])
    else:
        inner = indent(loop.format(tables="metadata"), "    ")
        loop = f"for metadata in ({', '.join(expressions)}):\n{inner}"
    return TABLES.format(
        package="orm" if is_sync else "ext.asyncio",
        session="Session" if is_sync else "AsyncSession",
        imports="\n".join(sorted(line for line, _ in found)),
        marks=_marks(choices, "pytest.mark.integration"),
        define="def" if is_sync else "async def",
        fixture="sync_session" if is_sync else "db_session",
        loop=indent(loop, "    "),
    )


def _metadata(finds: Finds, choices: Choices) -> Iterator[tuple[str, str]]:
    """Yield the import and the expression of each metadata that the schema is made from."""
    modules = [choices.app.place.module] if choices.app else []
    paths = [one.paths(finds.project, *modules)[0] for one in choices.metadata]
    names = [path.partition(":")[2] for path in paths]
    for number, (one, path, name) in enumerate(zip(choices.metadata, paths, names, strict=True), 1):
        alias = name if names.count(name) == 1 else f"{name}{number}"
        line = f"from {path.partition(':')[0]} import {name}"
        yield line if alias == name else f"{line} as {alias}", alias if one.kind == "metadata" else f"{alias}.metadata"


def _api(choices: Choices) -> str | None:
    """Return a module that requests a page that the application does not have."""
    app = choices.app
    if app is None:
        return None
    if choices.runner != "sync":
        return ASYNC_API.format(marks=_marks(choices, "pytest.mark.integration"), path=UNKNOWN)
    return SYNC_API.format(
        framework=app.framework,
        module=app.place.module,
        name=app.place.name,
        app=f"{app.place.name}()" if app.is_factory else app.place.name,
        marks=_marks(choices, "pytest.mark.integration"),
        path=UNKNOWN,
    )


def _is_forbidden(finds: Finds, folder: str) -> bool:
    """Return whether tests in *folder* may not connect: the project says so, or says nothing."""
    entries = [entry.rstrip("/") for entry in finds.configuration.words("crucible_no_database")]
    return not entries or any(f"{folder}/".startswith(f"{entry}/") for entry in entries)


def _no_database(finds: Finds, choices: Choices) -> str | None:
    """Return a module that shows the rule of the unit tests; None if no engine can be named."""
    engines = [
        one
        for one in finds.engines
        if one.at_module_level
        and one.place.name
        and not one.module.is_test
        and (one.known_url or "postgresql").startswith("postgres")
    ]
    if not engines:
        return None
    engine = engines[0]
    marks = _marks(choices) if engine.is_async else ""
    return NO_DATABASE.format(
        module=engine.place.module,
        name=engine.place.name,
        marks=f"\n{marks}\n" if marks else "",
        define="async def" if engine.is_async else "def",
        wait="await " if engine.is_async else "",
    )


def _marks(choices: Choices, *marks: str) -> str:
    """Return the ``pytestmark`` of a module; nothing for no marks."""
    needs_one = choices.runner == "anyio" or (choices.runner == "asyncio" and choices.strict)
    names = [*marks, *([MARKS[choices.runner]] if needs_one else [])]
    return "" if not names else f"pytestmark = {names[0] if len(names) == 1 else '[' + ', '.join(names) + ']'}"


def _add_backend(draft: Draft, conftest: Path) -> None:
    source = draft.read(conftest) or '"""Fixtures for all tests."""\n'
    text = source if "import pytest\n" in source else _with_pytest(source)
    draft.put(conftest, f"{text.rstrip()}\n\n\n{BACKEND}")


def _with_pytest(source: str) -> str:
    """Return *source* with an import of pytest, after the docstring and the imports from the future."""
    last = max((node.end_lineno or 0 for node in takewhile(_is_first, ast.parse(source).body)), default=0)
    lines = source.split("\n")
    head, rest = "\n".join(lines[:last]), "\n".join(lines[last:]).lstrip("\n")
    gap = "" if not rest or rest.startswith(("import ", "from ")) else "\n"
    return (f"{head}\n\n" if head else "") + f"import pytest\n{gap}{rest}"


def _is_first(node: ast.stmt) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "__future__"
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
