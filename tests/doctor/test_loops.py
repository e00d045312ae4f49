"""Event loops: scopes that do not match, the removed fixture, and pools."""

import pytest

from .conftest import Make, Patient

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


def test_an_unset_loop_scope(project_of: Make):
    """pytest-asyncio warns where the default is not set, once there is an async fixture."""
    unset = '[tool.pytest]\nasyncio_mode = "auto"\n'
    assert project_of({"pyproject.toml": unset}).found("loop-scope-unset") == []
    [finding] = project_of({"pyproject.toml": unset, "tests/conftest.py": SESSION_ENGINE}).found("loop-scope-unset")
    assert finding.file == "pyproject.toml"
    assert "asyncio_default_fixture_loop_scope is not set" in finding.found


def test_event_loop_is_defined(project_of: Make):
    """The fixture event_loop does nothing any more."""
    files = {"tests/conftest.py": "import pytest\n\n@pytest.fixture(scope='session')\ndef event_loop():\n    yield\n"}
    [finding] = project_of(files).found("event-loop-fixture")
    assert (finding.line, finding.severity) == (4, "warning")
    assert "pytest-asyncio 1.0 removed it" in finding.why


def test_event_loop_is_asked_for(project_of: Make):
    """A test that asks for event_loop where nobody defines it stops."""
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
    """An engine of a test module keeps connections of loops that have ended."""
    patient = project_of({"tests/conftest.py": MODULE_ENGINE.format(pool="")}, loops="function")
    [finding] = patient.found("pooled-async-engine")
    assert (finding.severity, finding.line) == ("warning", 4)
    assert "NullPool" in finding.do


def test_a_pool_that_is_none_or_lives_on_one_loop(project_of: Make):
    """NullPool, or session loops, leave nothing behind."""
    null = {"tests/conftest.py": MODULE_ENGINE.format(pool=", poolclass=NullPool")}
    assert project_of(null, loops="function").found("pooled-async-engine") == []
    assert project_of({"tests/conftest.py": MODULE_ENGINE.format(pool="")}).found("pooled-async-engine") == []


def test_a_pool_that_is_imported_under_another_name(project_of: Make):
    """NullPool is no pool, whatever the module calls it; SQLite's connections belong to no loop."""
    text = """
        from sqlalchemy.ext.asyncio import create_async_engine as _make
        from sqlalchemy.pool import NullPool as _Pool

        engine = _make("postgresql+asyncpg://localhost/app", poolclass=_Pool)
        lite = _make("sqlite+aiosqlite://")
    """
    assert project_of({"tests/conftest.py": text}, loops="function").found("pooled-async-engine") == []


def test_crucible_copes_with_pools(project_of: Make):
    """Where Crucible is on, a pool on function loops costs time and is only noted."""
    patient = project_of({"app/db.py": MODULE_ENGINE.format(pool="")}, loops="function", on=True)
    assert patient.found("pooled-async-engine") == []  # no test, no loop
    [finding] = patient.write({"tests/test_it.py": ""}).found("pooled-async-engine")
    assert finding.severity == "note"
    assert "kept from test to test" in finding.do


PLAIN = """
    import pytest

    @pytest.fixture{scope}
    async def thing():
        return 1
"""


def strict(patient: Patient) -> Patient:
    text = (patient.root / "pyproject.toml").read_text().replace('asyncio_mode = "auto"\n', "")
    return patient.write({"pyproject.toml": text})


def test_an_async_fixture_that_nobody_runs(project_of: Make):
    """In strict mode pytest-asyncio runs its own fixtures only."""
    patient = project_of({"tests/conftest.py": PLAIN.format(scope="")})
    assert patient.found("async-fixture-unhandled") == []
    [finding] = strict(patient).found("async-fixture-unhandled")
    assert (finding.line, finding.severity) == (5, "error")
    assert "with no plugin or hook that handled it" in finding.why
    own = (
        PLAIN.format(scope="").replace("@pytest.", "@pytest_asyncio.").replace("import pytest", "import pytest_asyncio")
    )
    assert strict(project_of({"tests/conftest.py": own})).found("async-fixture-unhandled") == []


def test_an_async_fixture_that_anyio_runs(project_of: Make):
    """Where tests are anyio's, so are the fixtures."""
    files = {
        "tests/conftest.py": PLAIN.format(scope=""),
        "tests/test_it.py": "import pytest\n\npytestmark = pytest.mark.anyio\n",
    }
    assert strict(project_of(files)).codes() == ["crucible-off"]


def test_a_backend_that_ends_before_a_fixture(project_of: Make):
    """anyio's backend lives as long as a module, unless the project defines it."""
    marked = {"tests/test_it.py": "import pytest\n\npytestmark = pytest.mark.anyio\n"}
    text = PLAIN.format(scope='(scope="session")')
    [finding] = strict(project_of({**marked, "tests/conftest.py": text})).found("anyio-backend-scope")
    assert (finding.line, finding.severity) == (5, "error")
    assert "ScopeMismatch" in finding.why
    text += '\n    @pytest.fixture(scope="session")\n    def anyio_backend():\n        return "asyncio"\n'
    assert strict(project_of({**marked, "tests/conftest.py": text})).found("anyio-backend-scope") == []


@pytest.mark.parametrize(("requirements", "is_found"), [("fastapi\n", True), ("fastapi\npytest\n", False)])
def test_requirements_of_tests_that_stand_elsewhere(project_of: Make, requirements: str, is_found: bool):
    """Where no requirement that is read names pytest, what is installed counts."""
    text = "import pytest\n\n@pytest.fixture\nasync def rows(): ...\n"
    files = {"pyproject.toml": "[tool.pytest]\n", "requirements.txt": requirements, "tests/conftest.py": text}
    assert bool(project_of(files).found("async-fixture-unhandled")) is is_found
