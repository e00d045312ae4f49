"""Whole projects, built differently: what is wrong in them is found, and nothing else."""

from pathlib import Path

import pytest

from pytest_crucible.doctor import case_of, diagnose

from .conftest import WELL

REPOSITORY = Path(__file__).parents[2]
SAMPLES = REPOSITORY / "tests" / "projects"

# What is found in each, apart from `crucible-off`: none of them uses Crucible yet.
EXPECTED = {
    "alembic_async": [],
    "anyio_project": [],
    "app_factory": ["event-loop-fixture"],
    "psycopg_sync": ["overrides-cleared", "session-shared", "testcontainers-moved"],
    "seed": [
        "commits-every-test",
        "container-per-worker",
        "event-loop-fixture",
        "expire-on-commit",
        "faker-seed",
        "lifespan-not-run",
        "loop-scope-mismatch",
        "overrides-cleared",
        "pooled-async-engine",
        "session-shared",
        "testcontainers-moved",
        "url-unchanged",
    ],
    "sqlmodel": [],
    "src_layout": [],
}


def codes(root: Path) -> list[str]:
    diagnosis = diagnose(root, case=case_of(root, machine=WELL), without=("import", "server"))
    return sorted({finding.code for finding in diagnosis.findings} - {"crucible-off"})


@pytest.mark.parametrize("name", EXPECTED)
def test_sample_projects(name: str):
    """In each sample project exactly the faults that it has are found."""
    assert codes(SAMPLES / name) == EXPECTED[name]


def test_the_example_is_well():
    """Nothing is wrong with the example application."""
    assert codes(REPOSITORY / "examples" / "ledger") == []
