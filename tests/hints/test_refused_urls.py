"""A URL of Crucible's that a settings class refuses is said with the option that set it."""

from __future__ import annotations

SETTINGS = """
import os
from pydantic import PostgresDsn, TypeAdapter

url = TypeAdapter(PostgresDsn).validate_python(os.environ["SHOP_URL"])
"""


def test_a_url_that_the_application_refuses(project):
    """A test module whose imports refuse the URL fails with a hint on crucible_url_env."""
    result = project.run(SETTINGS, "--crucible-url-env=SHOP_URL=postgresql+asyncpg", "--crucible-server=embedded")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*Name a host in crucible_url_env: SHOP_URL=postgresql+asyncpg@localhost *"])
