"""Event loops: scopes that do not match, the removed fixture, and pools."""

import pytest

from .conftest import ON, Make

SESSION_ENGINE = """
    import pytest
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    @pytest.fixture(scope="session")
    async def engine():
        engine = create_async_engine("postgresql+asyncpg://localhost/app", poolclass=NullPool)
        yield engine
        await engine.dispose()
"""


def test_a_fixture_that_outlives_its_loop(project_of: Make):
    """A session-scoped async fixture on function loops does not start."""
    [finding] = project_of({"tests/conftest.py": SESSION_ENGINE}, loops="function").found("loop-scope-mismatch")
    assert (finding.file, finding.line, finding.severity) == ("tests/conftest.py", 7, "error")
    assert "The session-scoped async fixture engine runs on a function loop" in finding.found
    assert "_function_scoped_runner" in finding.why
    assert 'asyncio_default_fixture_loop_scope = "session"' in finding.do


def test_matching_loops_are_well(project_of: Make):
    """With session loops for fixtures and tests nothing is wrong with a session-scoped fixture."""
    assert project_of({"tests/conftest.py": SESSION_ENGINE}).found("loop-scope-mismatch") == []


def test_a_loop_scope_of_its_own(project_of: Make):
    """A fixture may name its loop; a connection-free one may live on another loop than the tests."""
    text = SESSION_ENGINE.replace("import pytest\n", "import pytest_asyncio\n", 1).replace(
        '@pytest.fixture(scope="session")', '@pytest_asyncio.fixture(scope="session", loop_scope="session")'
    )
    assert project_of({"tests/conftest.py": text}, loops="function").found("loop-scope-mismatch") == []


@pytest.mark.parametrize(("disposal", "is_found"), [("await own.dispose()\n        yield", False), ("yield", True)])
def test_an_engine_that_is_disposed_before_the_tests(project_of: Make, disposal: str, *, is_found: bool):
    """An engine that a fixture disposes before it yields leaves no connection on its loop."""
    text = f"""
    import pytest_asyncio
    from sqlalchemy.ext.asyncio import create_async_engine

    @pytest_asyncio.fixture(scope="session", loop_scope="session")
    async def schema():
        own = create_async_engine("postgresql+asyncpg://localhost/app")
        async with own.begin() as connection:
            await connection.run_sync(create)
        {disposal}
        await own.dispose()
    """
    assert bool(project_of({"tests/conftest.py": text}, loops="function").found("loop-scope-mismatch")) is is_found


def test_a_connection_on_another_loop(project_of: Make):
    """Fixtures on the session loop and tests on function loops share no connection."""
    files = {
        "tests/conftest.py": """
            import pytest

            @pytest.fixture
            async def db_session(engine):
                async with engine.connect() as connection:
                    yield connection
        """
    }
    patient = project_of(files, loops="session")
    assert patient.found("loop-scope-mismatch") == []
    text = (
        (patient.root / "pyproject.toml")
        .read_text()
        .replace('test_loop_scope = "session"', 'test_loop_scope = "function"')
    )
    [finding] = patient.write({"pyproject.toml": text}).found("loop-scope-mismatch")
    assert "db_session opens a connection (connect) on the session loop; tests run on function loops" in finding.found
    assert "attached to a different loop" in finding.why


def test_anyio_fixtures_are_not_pytest_asyncio_s(project_of: Make):
    """In strict mode an async fixture of pytest's own is anyio's, and has no loop scope."""
    patient = project_of({"tests/conftest.py": SESSION_ENGINE}, loops="function")
    text = (patient.root / "pyproject.toml").read_text().replace('"auto"', '"strict"')
    assert patient.write({"pyproject.toml": text}).found("loop-scope-mismatch") == []


def test_event_loop_is_defined(project_of: Make):
    """The fixture event_loop does nothing any more."""
    files = {"tests/conftest.py": "import pytest\n\n@pytest.fixture(scope='session')\ndef event_loop():\n    yield\n"}
    [finding] = project_of(files).found("event-loop-fixture")
    assert (finding.line, finding.severity) == (4, "warning")
    assert "pytest-asyncio 1.0 removed it" in finding.why


def test_event_loop_is_asked_for(project_of: Make):
    """A test that asks for event_loop where no conftest defines it stops."""
    [finding] = project_of({"tests/test_it.py": "async def test_it(event_loop): ..."}).found("event-loop-fixture")
    assert finding.severity == "error"
    assert "test_it asks for event_loop." in finding.found


def test_event_loop_before_it_was_removed(project_of: Make):
    """pytest-asyncio before 1.0 has the fixture."""
    patient = project_of({"tests/test_it.py": "async def test_it(event_loop): ..."})
    assert patient.on(versions={"pytest-asyncio": "0.23.8"}).found("event-loop-fixture") == []


MODULE_ENGINE = """
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine("postgresql+asyncpg://localhost/app"{pool})
"""


def test_a_pool_on_function_loops(project_of: Make):
    """Where Crucible is on, a pool on function loops costs time and is noted."""
    files = {"app/db.py": MODULE_ENGINE.format(pool="")}
    assert project_of(files, loops="function", on=True).found("pooled-async-engine") == []  # no test, no loop
    files["tests/test_it.py"] = "def test_it(client): ...\n"
    assert project_of(files, loops="function", on=True).found("pooled-async-engine") == []  # no test on a loop
    files["tests/test_it.py"] = "async def test_it(): ...\n"
    [finding] = project_of(files, loops="function", on=True).found("pooled-async-engine")
    assert (finding.severity, finding.line) == ("note", 4)
    assert "kept from test to test" in finding.do
    assert project_of(files, loops="function").found("pooled-async-engine") == []


@pytest.mark.parametrize(("plugin", "is_found"), [("asyncio", True), ("anyio", False)])
def test_a_pool_of_tests_in_strict_mode(project_of: Make, plugin: str, *, is_found: bool):
    """In strict mode only tests with a mark run on loops of pytest-asyncio."""
    test = f"import pytest\n\n@pytest.mark.{plugin}\nasync def test_it(): ...\n"
    files = {
        "pyproject.toml": f"[tool.pytest]\n{ON}",
        "app/db.py": MODULE_ENGINE.format(pool=""),
        "tests/test_it.py": test,
    }
    assert bool(project_of(files).found("pooled-async-engine")) is is_found


def test_a_pool_that_is_none_or_lives_on_one_loop(project_of: Make):
    """NullPool, or session loops, leave nothing behind."""
    null = {"tests/conftest.py": MODULE_ENGINE.format(pool=", poolclass=NullPool")}
    assert project_of(null, loops="function", on=True).found("pooled-async-engine") == []
    kept = {"tests/conftest.py": MODULE_ENGINE.format(pool="")}
    assert project_of(kept, on=True).found("pooled-async-engine") == []


def test_a_pool_that_is_imported_under_another_name(project_of: Make):
    """NullPool is no pool, whatever the module calls it; SQLite's connections belong to no loop."""
    text = """
        from sqlalchemy.ext.asyncio import create_async_engine as _make
        from sqlalchemy.pool import NullPool as _Pool

        engine = _make("postgresql+asyncpg://localhost/app", poolclass=_Pool)
        lite = _make("sqlite+aiosqlite://")
    """
    assert project_of({"tests/conftest.py": text}, loops="function", on=True).found("pooled-async-engine") == []


@pytest.mark.parametrize(("requirements", "is_found"), [("fastapi\n", True), ("fastapi\npytest\n", False)])
def test_requirements_of_tests_that_stand_elsewhere(project_of: Make, requirements: str, *, is_found: bool):
    """Where no requirement that is read names pytest, what is installed counts."""
    options = 'asyncio_mode = "auto"\nasyncio_default_fixture_loop_scope = "function"\n'
    files = {"pyproject.toml": f"[tool.pytest]\n{options}", "tests/conftest.py": SESSION_ENGINE}
    files["requirements.txt"] = requirements
    assert bool(project_of(files).found("loop-scope-mismatch")) is is_found
