"""The example application on a schema that its migrations have built."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LEDGER = Path(__file__).parents[2] / "examples" / "ledger"


@pytest.mark.slow
def test_its_whole_suite_is_green(tmp_path):
    """Built by migrating in place of metadata, nothing in the suite has to change."""
    pytest.importorskip("ledger")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_", "CRUCIBLE_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--crucible-alembic=alembic.ini"],
        cwd=LEDGER,
        env=kept | {"CRUCIBLE_CACHE": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "1 template built" in done.stdout
