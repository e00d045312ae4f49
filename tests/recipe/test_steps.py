"""The well-known recipe's complete conftest, on its way from no Crucible to nothing but Crucible."""

from __future__ import annotations

import psycopg
import pytest
from repairs import FIXTURES, Recipe

pytestmark = pytest.mark.slow
GREEN = "7 passed"


def rows(server: str) -> int:
    """Return what the runs left in the recipe's own database."""
    with psycopg.connect(server.replace("+psycopg2", "")) as connection:
        found = connection.execute("SELECT count(*) FROM users").fetchone()
    assert found is not None
    return int(found[0])


def as_written(recipe: Recipe) -> str:
    """Run the suite as it is; once more where its factories, which have no seed, have drawn an address twice."""
    printed = recipe.run("-W", "error::pytest.PytestWarning")
    return recipe.run("-W", "error::pytest.PytestWarning") if "users_email_key" in printed else printed


def test_it_runs_beside_a_plugin_that_nobody_configured(recipe: Recipe, server: str):
    """Installed and not set up, Crucible changes nothing: the suite passes, twice, and rolls everything back."""
    for _ in range(2):
        printed = as_written(recipe)
        assert GREEN in printed, printed
        assert "crucible: " not in printed
    assert rows(server) == 0


@pytest.mark.parametrize("isolation", ["rollback", "reset"])
def test_its_fixtures_go_one_by_one(recipe: Recipe, isolation: str, server: str):
    """With Crucible set up, the suite is green with all of the recipe's fixtures, and after each one that goes."""
    recipe.configure(isolation)
    if isolation == "reset":  # only what is committed is seen by others
        recipe.change("tests/integration/test_api.py", "db_session.flush()", "db_session.commit()")
    printed = recipe.run()
    assert GREEN in printed, printed
    for fixture in FIXTURES:
        recipe.delete(fixture)
        printed = recipe.run()
        assert GREEN in printed, f"without {fixture}:\n{printed}"
    assert "fixture" not in (recipe.root / "tests" / "conftest.py").read_text("utf-8").partition("pytest_plugins")[0]


def test_it_commits_every_test_as_it_is_written(recipe: Recipe, server: str):
    """Without the one repair that matters, tests see the rows of those before, and rows stay for ever."""
    from repairs import ROLLBACK

    recipe.change("tests/conftest.py", *reversed(ROLLBACK))
    assert " failed" in recipe.run()
    assert rows(server) > 0
    with psycopg.connect(server.replace("+psycopg2", "")) as connection:
        connection.execute("TRUNCATE users CASCADE")
