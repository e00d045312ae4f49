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
