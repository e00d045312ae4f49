"""The lifespan follows the scope that a project gives ``anyio_backend``."""

SETTINGS = "[tool.pytest]\npythonpath = ['.']\ncrucible_app = 'app:app'\ncrucible_metadata = ['app:Base']\n"


def test_a_backend_of_function_scope(suite):
    """A function-scoped ``anyio_backend``, as many projects write it, gets a lifespan for each test."""
    suite.configure(text=SETTINGS)
    result = suite.run(
        "-p",
        "no:asyncio",
        test_it="""
import pytest
from people import names

pytestmark = pytest.mark.anyio

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.parametrize("time", [1, 2])
async def test_a_request_commits(async_client, time):
    response = await async_client.post("/users", params={"name": "ada"})
    assert response.status_code == 200
    assert names() == ["ada"]
""",
    )
    result.assert_outcomes(passed=2)


def test_trio(suite):
    """On trio the application runs, its lifespan and its answers too; a database is refused with what to write."""
    suite.configure(text=SETTINGS)
    result = suite.run(
        "-p",
        "no:asyncio",
        test_it="""
import contextlib, pytest
from app import app

pytestmark = pytest.mark.anyio

@pytest.fixture(scope="module")
def anyio_backend():
    return "trio"

@contextlib.asynccontextmanager
async def lifespan(app):
    yield {"started": True}

app.router.lifespan_context = lifespan

@app.get("/started")
async def started(request: __import__("fastapi").Request):
    return request.state.started

async def test_application(async_client):
    assert (await async_client.get("/started")).json() is True

async def test_database(db_session):
    await db_session.connection()
""",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines([
        "E *RedirectError: An asynchronous engine connects on trio.",
        "E   SQLAlchemy and its drivers support asyncio only*",
        'E   Write a fixture anyio_backend in conftest.py that returns "asyncio".',
    ])  # fmt: skip
