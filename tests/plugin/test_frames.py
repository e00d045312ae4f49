"""Which frames a report shows: the project's and the libraries', and none of Crucible's own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_crucible.report.frames import is_of_project

ROOT = Path("/srv/shop")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/srv/shop/app/models.py", True),
        ("/srv/shop/tests/test_it.py", True),
        ("/srv/shop/.venv/lib/python3.12/site-packages/sqlalchemy/engine.py", False),
        ("/srv/shop/.venv/src/their_library/module.py", False),
        ("/srv/shop/venv/lib/module.py", False),
        ("/srv/shop/.tox/py312/lib/module.py", False),
        ("/srv/shop/.nox/tests/lib/module.py", False),
        ("/srv/shop/python/src/module.py", False),
        ("/usr/lib/python3.12/asyncio/base_events.py", False),
    ],
)
def test_a_virtual_environment_in_the_project_is_not_the_project(path, expected):
    """Installed code in the project's folder is no code of the project, whatever the environment's folder is called."""
    assert is_of_project(Path(path), ROOT, prefix=ROOT / "python") is expected


def test_a_project_inside_the_interpreter_s_folder():
    """A project in /usr/src is a project, although Python's own prefix is /usr."""
    assert is_of_project(Path("/usr/src/shop/app.py"), Path("/usr/src/shop"), prefix=Path("/usr"))


def test_an_error_of_ours_in_an_environment_inside_the_project(suite):
    """A library of a virtual environment in the project's folder, through which the error went, is not shown."""
    suite.configure('crucible_server = "postgresql://nobody@127.0.0.1:1/postgres"\npythonpath = [".", ".venv/src"]\n')
    suite.configure(text=(suite.root / "pyproject.toml").read_text().replace('pythonpath = ["."]\n', "", 1))
    suite.write(**{".venv__src__their_library": "def run(function):\n    return function()\n"})
    result = suite.run(test_it="import people, their_library\ndef test(): their_library.run(people.names)")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["test_it.py:2: in test", "people.py:13: in names", "*ServerError*127.0.0.1*"])
    result.stdout.no_fnmatch_line("*their_library.py*")


ERRORS = """
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

URL = "postgresql+{}://app@db.production.invalid/app"

@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_statement(driver):
    with create_engine(URL.format(driver)).connect() as connection:
        connection.execute(text("SELECT nonsense"))

@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_connect(driver):
    create_engine(URL.format(driver), connect_args={"options": "-c nonsense=1"}).connect()

@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_asynchronous(driver):
    async with create_async_engine(URL.format(driver)).connect() as connection:
        await connection.execute(text("SELECT nonsense"))

async def test_raw():
    async with create_async_engine(URL.format("asyncpg")).connect() as connection:
        raw = await connection.get_raw_connection()
        await raw.driver_connection.execute("SELECT nonsense")

def test_sync_session(sync_session):
    sync_session.execute(text("SELECT nonsense"))

async def test_db_session(db_session):
    await db_session.execute(text("SELECT nonsense"))

async def test_client(async_client):
    await async_client.post("/users")
    await async_client.get("/broken")
"""


def run_errors(suite, *arguments):
    app = (suite.root / "app.py").read_text()
    suite.write(app=app + "\n@app.get('/broken')\nasync def broken():\n    raise LookupError('of the application')\n")
    result = suite.run("--tb=short", *arguments, test_it=ERRORS)
    ours = str(Path(sys.modules["pytest_crucible"].__file__).parent)
    assert [line for line in result.stdout.lines if ours in line or "src/pytest_crucible" in line] == []
    return result


@pytest.mark.parametrize("isolation", ["reset", "rollback", "clone"])
@pytest.mark.slow
def test_errors_of_drivers_show_no_frame_of_ours(suite, isolation):
    """Whatever the driver, an error in a statement or a connection begins and ends where it does without Crucible."""
    run_errors(suite, f"--crucible-isolation={isolation}").assert_outcomes(failed=10)


def test_errors_of_psycopg2_and_of_the_application_show_no_frame_of_ours(suite):
    """The last frame is SQLAlchemy's or the application's, as without Crucible."""
    result = run_errors(suite, "-k", "(statement and psycopg2) or client")
    result.assert_outcomes(failed=2, deselected=8)
    result.stdout.fnmatch_lines(["app.py:*: in broken", "E   LookupError: of the application"])
