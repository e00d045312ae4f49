"""Options that change what a test gets: workers, folders without a database, kept failures."""

from __future__ import annotations

import psycopg
import pytest


@pytest.mark.slow
def test_two_workers(suite):
    """Each worker has a database of its own, the template is built once, and nothing is left."""
    suite.write(
        app=(suite.root / "app.py").read_text().replace('"users"', '"users"\n    __table_args__ = {"comment": "x"}')
    )
    kept, before = suite.databases(), set(suite.databases("^crucible_t"))
    result = suite.run(
        "-n2",
        "-W",
        "error",
        process=True,
        test_it="""
        import os, people, pytest
        from sqlalchemy import text

        @pytest.mark.parametrize("i", range(12))
        async def test(async_client, i):
            assert people.names() == []
            await async_client.post("/users", params={"name": "ada"})
            assert people.names() == ["ada"]
            with people.engine.connect() as connection:
                name = connection.scalar(text("SELECT current_database()"))
                assert f"_{os.environ['PYTEST_XDIST_WORKER']}x" in name
                there = connection.scalars(text("SELECT datname FROM pg_database WHERE datname ~ '^crucible_w'")).all()
                assert len(there) <= 2
        """,
    )
    result.assert_outcomes(passed=12)
    assert suite.databases() == kept
    assert len(set(suite.databases("^crucible_t")) - before) == 1


FORBIDDEN = """
import people, pytest, asyncio
from app import Session, User
from sqlalchemy import select, text

def test_sync(): people.names()
async def test_async():
    async with Session() as session:
        await session.scalars(select(User))
def test_thread():
    with pytest.raises(Exception) as caught:
        asyncio.run(asyncio.to_thread(people.names))
    assert "crucible_no_database" in str(caught.value)
async def test_session(db_session): await db_session.execute(text("SELECT 1"))
def test_sync_session(sync_session): sync_session.execute(text("SELECT 1"))
async def test_client(async_client): await async_client.post("/users", params=dict(name="ada"))
def test_wide(wide): wide.execute(text("SELECT 1"))
def test_nothing(): assert User(name="ada").name == "ada"
"""


@pytest.mark.slow
def test_folders_without_a_database(suite):
    """A test there that touches a database is told where it is, and how to go on; the others are not disturbed."""
    suite.configure('crucible_no_database = ["unit", "test_one.py"]\n')
    result = suite.run(
        "-W",
        "error",
        conftest="""
        import people, pytest

        @pytest.fixture(scope="session")
        def wide():
            with people.engine.connect() as connection:
                yield connection
        """,
        unit__test_it=FORBIDDEN,
        test_one="import people\ndef test(): people.names()",
        test_two="import people\ndef test(): people.add('ada')\ndef test_b(wide): assert people.names() == []",
        unitary__test_three="import people\ndef test(): assert people.names() == []",
    )
    result.stdout.fnmatch_lines(
        [
            "*unit/test_it.py::test_sync touches a database, and lies in unit, where crucible_no_database forbids it.*",
            "*FAILED unit/test_it.py::test_async*",
        ]
    )
    result.assert_outcomes(failed=7, passed=5)


def test_a_wide_fixture_that_holds_a_connection_in_a_forbidden_test(suite):
    """A connection that a session fixture checked out before is no way around."""
    suite.configure('crucible_no_database = ["unit"]\n')
    result = suite.run(
        conftest="""
        import people, pytest

        @pytest.fixture(scope="session")
        def wide():
            with people.engine.connect() as connection:
                yield connection
        """,
        before__test_before="def test(wide): pass",
        unit__test_it="from sqlalchemy import text\ndef test(wide): wide.execute(text('SELECT 1'))",
    )
    result.assert_outcomes(passed=1, failed=1)


def test_failures_are_kept_if_asked(suite):
    """The report names the database and the command; it survives with the test's rows, and the next test is clean."""
    result = suite.run(
        "--crucible-keep-failed",
        test_it=f"""
        import people, pytest

        def test_first(): assert people.names() == []
        def test_{"long_" * 30}(): people.add("ada"); assert 0
        def test_second(): assert people.names() == []
        @pytest.mark.crucible(keep=False)
        def test_not_kept(): people.add("bob"); assert 0
        @pytest.mark.crucible(isolation="clone")
        def test_clone(): people.add("eve"); assert 0
        async def test_setup(async_client, failing): pass
        @pytest.fixture
        def failing(): people.add("zoe"); raise RuntimeError
        def test_last(): assert people.names() == []
        """,
    )
    result.assert_outcomes(passed=3, failed=3, errors=1)
    kept = suite.databases("^crucible_k")
    assert suite.databases() == kept
    for name in kept:
        assert len(name) <= 63
        result.stdout.fnmatch_lines([f"crucible: kept {name}; open it with: crucible psql {name}"])
    rows = []
    for name in kept:
        with psycopg.connect(**suite.share.admin.to(name).libpq(), autocommit=True) as connection:
            rows += [row[0] for row in connection.execute("SELECT name FROM users")]
    assert sorted(rows) == ["ada", "eve", "zoe"]
    suite.run(test_it="import people\ndef test(): people.names()").assert_outcomes(passed=1)
    assert suite.databases("^crucible_k") == kept
    with psycopg.connect(**suite.share.admin.libpq(), autocommit=True) as connection:
        for name in kept:
            connection.execute(f"DROP DATABASE {name}")


@pytest.mark.slow
def test_one_failure_is_kept_by_its_marker(suite):
    """``keep=True`` asks for one test, also in a worker of xdist."""
    result = suite.run(
        "-n1",
        process=True,
        test_it="""
        import people, pytest
        @pytest.mark.crucible(keep=True)
        def test_a(): people.add("ada"); assert 0
        def test_b(): assert people.names() == []; assert 0
        """,
    )
    result.assert_outcomes(failed=2)
    (name,) = suite.databases("^crucible_k_test_a_")
    result.stdout.fnmatch_lines([f"crucible: kept {name}; open it with: crucible psql {name}"])
    with psycopg.connect(**suite.share.admin.libpq(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name}")


def test_url_env_reaches_raw_drivers(suite):
    """A raw driver that reads the environment works on the same database, and is put back."""
    suite.configure('crucible_url_env = ["DATABASE_URL=postgresql"]\n')
    result = suite.run(
        test_it="""
        import os, people, psycopg

        def test_a():
            with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
                connection.execute("INSERT INTO users (name) VALUES ('ada')")
            assert people.names() == ["ada"]

        def test_b(database_url):
            assert database_url.partition("@")[2] == os.environ["DATABASE_URL"].partition("@")[2]
            with psycopg.connect(database_url) as connection:
                assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)
        """
    )
    result.assert_outcomes(passed=2)


@pytest.mark.slow
def test_a_run_inside_a_worker(suite, monkeypatch):
    """Pytest that a test starts has a database of its own, though it inherits the name of the worker around it."""
    monkeypatch.setenv("PYTEST_XDIST_TESTRUNUID", "1")
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    suite.write(
        inner__test_it="import people\n\ndef test():\n    people.add('ada')\n    assert people.names() == ['ada']\n"
    )
    result = suite.run(
        "outer",
        process=True,
        outer__test_it="""
        import subprocess, sys, people

        def test():
            people.add("eve")
            inner = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "inner"]
            assert subprocess.run(inner, check=False).returncode == 0
            assert people.names() == ["eve"]
        """,
    )
    result.assert_outcomes(passed=1)
