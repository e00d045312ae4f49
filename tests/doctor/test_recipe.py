"""The fixtures of the well-known recipe."""

import pytest

from .conftest import Make

LIFESPAN_APP = "from fastapi import FastAPI\n\napp = FastAPI(lifespan=start)\n"
CLIENT = """
    import pytest
    from httpx import ASGITransport, AsyncClient
    from app.main import app

    @pytest.fixture
    async def client():
        async with AsyncClient(transport=ASGITransport(app=app), base_url="http://test") as client:
            yield client
"""
HEADERS = """
    import pytest

    @pytest.fixture
    def authenticated_client(async_client, access_token):
        {change}
        return {result}
"""


@pytest.mark.parametrize(
    "change",
    [
        'async_client.headers["Authorization"] = f"Bearer {access_token}"',
        'async_client.headers.update({"Authorization": access_token})',
        'async_client.cookies.set("session", access_token)',
    ],
)
def test_a_client_that_is_changed_for_everybody(project_of: Make, change: str):
    """A fixture that puts a header on the client it was given leaves no client without."""
    files = {"tests/conftest.py": HEADERS.format(change=change, result="async_client")}
    [finding] = project_of(files).found("shared-headers")
    assert (finding.file, finding.line) == ("tests/conftest.py", 5)
    assert "authenticated_client changes the headers of async_client" in finding.found


def test_a_client_of_its_own(project_of: Make):
    """A client that the fixture makes itself may have any header."""
    files = {"tests/conftest.py": HEADERS.format(change="client = make(async_client)", result="client")}
    files["tests/conftest.py"] += "\n    client.headers['Authorization'] = access_token\n"
    assert project_of(files).found("shared-headers") == []


@pytest.mark.parametrize("line", ["app.dependency_overrides.clear()", "app.dependency_overrides = {}"])
def test_overrides_that_are_cleared(project_of: Make, line: str):
    """Clearing all overrides takes those of others along."""
    [finding] = project_of({"tests/test_it.py": f"def test_it():\n    {line}\n"}).found("overrides-cleared")
    assert finding.line == 2
    assert "app.dependency_overrides.pop(get_db)" in finding.do


def test_overrides_that_crucible_puts_back(project_of: Make):
    """Where Crucible puts overrides back, clearing them is only a note."""
    [finding] = project_of({"tests/test_it.py": "app.dependency_overrides.clear()\n"}, on=True).found(
        "overrides-cleared"
    )
    assert finding.severity == "note"


def test_overrides_that_are_taken_back_one_by_one(project_of: Make):
    """Taking one's own back is well; so is clearing something else."""
    text = "def test_it():\n    app.dependency_overrides.pop(get_db)\n    cache.clear()\n"
    assert project_of({"tests/test_it.py": text}).found("overrides-cleared") == []


SHARED = """
    import pytest
    from app.db import get_db

    @pytest.fixture
    def client(db_session):
        {override}
        return make()
"""
DEPENDENCY = {"app/db.py": "from sqlalchemy.orm import Session\n\ndef get_db():\n    yield Session()\n"}
OVERRIDES = [
    "app.dependency_overrides[get_db] = lambda: db_session",
    "def override():\n            yield db_session\n        app.dependency_overrides[get_db] = override",
    "async def override():\n            return db_session\n        app.dependency_overrides[get_db] = override",
]


@pytest.mark.parametrize("override", OVERRIDES)
def test_a_session_that_is_shared(project_of: Make, override: str):
    """An override that hands out the test's session is noted."""
    [finding] = project_of({**DEPENDENCY, "tests/conftest.py": SHARED.format(override=override)}).found(
        "session-shared"
    )
    assert finding.severity == "note"
    assert "The application and the test share one session, db_session." in finding.found


def test_a_session_of_a_fixture_is_shared_under_any_dependency(project_of: Make):
    """A fixture that makes a session is one, whatever the dependency is that it overrides."""
    text = SHARED.format(override=OVERRIDES[0])
    assert project_of({"tests/conftest.py": text}).found("session-shared") == []
    fixture = "\n    @pytest.fixture\n    def db_session():\n        return sqlalchemy.orm.Session()\n"
    assert len(project_of({"tests/conftest.py": text + fixture}).found("session-shared")) == 1


def test_an_override_with_a_session_of_its_own(project_of: Make):
    """An override that makes a session shares none."""
    text = SHARED.format(override="app.dependency_overrides[get_db] = lambda: make_session()")
    assert project_of({**DEPENDENCY, "tests/conftest.py": text}).found("session-shared") == []


def test_rollback_isolation_is_meant_to_share(project_of: Make):
    """Who chose rollback isolation chose one session."""
    files = {**DEPENDENCY, "tests/conftest.py": SHARED.format(override=OVERRIDES[0])}
    assert project_of(files, on=True, extra='crucible_isolation = "rollback"\n').found("session-shared") == []
    assert len(project_of(files, on=True).found("session-shared")) == 1


def test_a_lifespan_that_does_not_run(project_of: Make):
    """httpx's transport does not start the application."""
    [finding] = project_of({"app/main.py": LIFESPAN_APP, "tests/conftest.py": CLIENT}).found("lifespan-not-run")
    assert (finding.file, finding.line) == ("tests/conftest.py", 8)
    assert "LifespanManager" in finding.do


def test_a_lifespan_that_runs_or_is_none(project_of: Make):
    """With a lifespan manager, or an application without lifespan, nothing is missing."""
    managed = CLIENT.replace("import pytest", "import pytest\n    from asgi_lifespan import LifespanManager")
    assert project_of({"app/main.py": LIFESPAN_APP, "tests/conftest.py": managed}).found("lifespan-not-run") == []
    plain = {"app/main.py": "from fastapi import FastAPI\n\napp = FastAPI()\n", "tests/conftest.py": CLIENT}
    assert project_of(plain).found("lifespan-not-run") == []


@pytest.mark.parametrize("app", ["create_app(sessions)", "made"])
def test_an_application_that_the_suite_sets_up_itself(project_of: Make, app: str):
    """An application that is made from objects of the suite lacks nothing that a lifespan would set up."""
    client = CLIENT.replace("app=app", f"app={app}").replace(
        "async with", "made = create_app(sessions)\n        async with"
    )
    files = {"app/main.py": LIFESPAN_APP, "tests/conftest.py": client}
    assert project_of(files).found("lifespan-not-run") == []


def test_handlers_of_the_older_kind_are_a_lifespan(project_of: Make):
    """on_event("startup") does not run either."""
    application = 'from fastapi import FastAPI\n\napp = FastAPI()\n\n@app.on_event("startup")\ndef start(): ...\n'
    assert len(project_of({"app/main.py": application, "tests/conftest.py": CLIENT}).found("lifespan-not-run")) == 1


FAKER = "import pytest\n\n@pytest.fixture(scope='session', autouse=True)\ndef faker_seed():\n    return 12345\n"
FACTORIES = "from polyfactory.factories.sqlalchemy_factory import SQLAlchemyFactory\n"


def test_faker_seed_does_not_reach_polyfactory(project_of: Make):
    """faker_seed seeds Faker's fixture, and no factory of Polyfactory's."""
    files = {"tests/conftest.py": FAKER, "tests/factories.py": FACTORIES}
    [finding] = project_of(files).found("faker-seed")
    assert (finding.file, finding.line) == ("tests/conftest.py", 4)


def test_faker_seed_where_it_does_what_it_says(project_of: Make):
    """Without Polyfactory it is Faker's own; with Crucible it is honoured."""
    assert project_of({"tests/conftest.py": FAKER}).found("faker-seed") == []
    files = {"tests/conftest.py": FAKER, "tests/factories.py": FACTORIES}
    assert project_of(files, on=True).found("faker-seed") == []


CONTAINER = """
    import pytest
    from {module} import PostgresContainer

    @pytest.fixture(scope="session")
    def url():
        container = PostgresContainer("postgres:16-alpine")
        container.start()
        yield container.get_connection_url({driver}).replace("postgresql://", "postgresql+asyncpg://")
        container.stop()
"""


def test_testcontainers_has_moved(project_of: Make):
    """The old module warns, from the release on in which it moved."""
    files = {"tests/conftest.py": CONTAINER.format(module="testcontainers.postgres", driver="")}
    patient = project_of(files)
    [finding] = patient.found("testcontainers-moved")
    assert finding.line == 3
    assert "testcontainers.community.postgres" in finding.do
    assert patient.on(versions={"testcontainers": "4.14.2"}).found("testcontainers-moved") == []
    moved = {"tests/conftest.py": CONTAINER.format(module="testcontainers.community.postgres", driver="")}
    assert project_of(moved).found("testcontainers-moved") == []


def test_a_replacement_that_does_nothing(project_of: Make):
    """get_connection_url() names psycopg2, so the text that is to be replaced is not in it."""
    files = {"tests/conftest.py": CONTAINER.format(module="testcontainers.postgres", driver="")}
    [finding] = project_of(files).found("url-unchanged")
    assert finding.line == 9
    asked = {"tests/conftest.py": CONTAINER.format(module="testcontainers.postgres", driver="driver=None")}
    assert project_of(asked).found("url-unchanged") == []


def test_a_container_in_each_worker(project_of: Make):
    """A session is a worker's, so its container is started once for each."""
    text = CONTAINER.format(module="testcontainers.postgres", driver="")
    [finding] = project_of({"tests/conftest.py": text}).found("container-per-worker")
    assert finding.line == 6
    alone = text.replace(', scope="session"', "")
    without_xdist = project_of({"tests/conftest.py": alone})
    configuration = (without_xdist.root / "pyproject.toml").read_text().replace(', "pytest-xdist"', "")
    assert without_xdist.write({"pyproject.toml": configuration}).found("container-per-worker") == []


def test_a_container_for_each_worker_id(project_of: Make):
    """The recipe's own way to ask for one container per worker is found as well."""
    text = """
        import pytest

        @pytest.fixture(scope="session")
        def database_url(worker_id):
            if worker_id == "master":
                return create_single_container()
            return create_container_for_worker(worker_id)
    """
    assert len(project_of({"tests/conftest.py": text}).found("container-per-worker")) == 1
