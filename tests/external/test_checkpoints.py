"""Checkpoints on a server where Crucible may do less."""

from __future__ import annotations

import pytest

from tests.checkpoints.conftest import HEAD
from tests.checkpoints.modules import SCHEMA, SYNCHRONOUS


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plain", pytest.param("granted", marks=pytest.mark.slow)])
@pytest.mark.parametrize("tests", [SYNCHRONOUS, SCHEMA], ids=["rows", "schema"])
def test_rows_and_schema(project, external, role, kind, tests):
    """A role that is no superuser has no event triggers, and perhaps foreign keys that are checked."""
    name = role(f"ci_{kind}", "CREATEDB")
    if kind == "granted":
        external.execute(f"GRANT SET ON PARAMETER session_replication_role TO {name}")
    result = project.run(HEAD + tests, f"--crucible-server={external.url(name)}")
    result.assert_outcomes(passed=tests.count("def test_"))
