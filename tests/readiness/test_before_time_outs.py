"""Templates are built before the time-outs of the first test that needs the database."""

from __future__ import annotations

import textwrap

import pytest

STARTS = {
    "a fixture": """
        import pytest
        from asgi_lifespan import LifespanManager
        from HARBOUR import app

        @pytest.fixture
        async def started():
            async with LifespanManager(app, startup_timeout=1.0):
                yield

        async def test_it(started): ...
    """,
    "a function of the project": """
        from contextlib import contextmanager
        from fastapi.testclient import TestClient
        from HARBOUR import app

        @contextmanager
        def running():
            with TestClient(app) as client:
                yield client

        def test_it():
            with running() as client:
                assert client.get("/").json() == "up"
    """,
    "an autouse fixture of a class": """
        import pytest
        from fastapi.testclient import TestClient
        from HARBOUR import app

        class TestIt:
            @pytest.fixture(autouse=True)
            def client(self):
                with TestClient(app) as client:
                    yield client

            def test_it(self): ...
    """,
    "our client": """
        async def test_it(async_client):
            assert (await async_client.get("/")).json() == "up"
    """,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "how", [how if how == "a fixture" else pytest.param(how, marks=pytest.mark.slow) for how in STARTS]
)
def test_a_start_up_that_connects(harbour, how):
    """A start-up with a time-out of its own finds the database ready, in the first run."""
    harbour(STARTS[how]).assert_outcomes(passed=1)


NO_START = """
    import pytest
    from fastapi.testclient import TestClient
    from HARBOUR import app, engine
    from pytest_crucible.fixtures import RUN

    @pytest.fixture
    def client():
        return TestClient(app)

    def test_without_start_up(client, pytestconfig):
        assert client.get("/").json() == "up"
        assert pytestconfig.stash[RUN].worker.server._lease is None

    def test_that_names_the_engine(pytestconfig):
        assert engine.name == "postgresql"
        assert pytestconfig.stash[RUN].worker.server._lease is None

    @pytest.mark.skip
    def test_skipped(db_session): ...

    def test_still_none(pytestconfig):
        assert pytestconfig.stash[RUN].worker.server._lease is None
"""


def test_no_server_for_what_needs_none(harbour):
    """A client without a start-up, an engine that is only named, a test that is skipped: no server is started."""
    harbour(NO_START, load=False).assert_outcomes(passed=3, skipped=1)


def test_no_server_where_no_database_is_allowed(project):
    """Below crucible_no_database nothing is made ready."""
    folder = project.root / "unit"
    folder.mkdir(exist_ok=True)
    (folder / "test_unit.py").write_text(
        textwrap.dedent("""
            from pytest_crucible.fixtures import RUN

            def test_it(sync_session, pytestconfig):
                assert pytestconfig.stash[RUN].worker.server._lease is None
        """)
    )
    result = project.run("", str(folder), "--crucible-no-database=unit")
    result.assert_outcomes(passed=1)


CUT_OFF = """
    import signal
    import pytest
    from sqlalchemy import create_engine, text
    import HARBOUR_load
    from HARBOUR import engine

    sync = create_engine("postgresql+psycopg://app:secret@db.production.invalid/app")

    @pytest.fixture(autouse=True)
    def time_out():
        # As pytest-timeout does it.
        signal.signal(signal.SIGALRM, lambda *_: pytest.fail("Timeout >0.3s"))
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        yield
        signal.setitimer(signal.ITIMER_REAL, 0)

    @pytest.mark.parametrize("n", range(3))
    def test_it(n):
        with sync.connect() as connection:
            connection.execute(text("SELECT 1"))
"""


@pytest.mark.slow
def test_a_build_that_was_cut_off(harbour):
    """Where a time-out ends a build that was not foreseen, the next test finds the database ready."""
    result = harbour(CUT_OFF)
    result.assert_outcomes(failed=1, passed=2)
    result.stdout.fnmatch_lines(["*Timeout >0.3s*"])
