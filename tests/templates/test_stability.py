"""The same project has the same fingerprint in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAMPLES = {
    "examples/ledger/src": ["ledger.models:Base"],
    "tests/projects/alembic_async": ["--alembic", "alembic.ini"],
    "tests/projects/anyio_project": ["notes.tables:metadata"],
    "tests/projects/app_factory": ["app.models.authors:Base", "app.models.books:Base"],
    "tests/projects/psycopg_sync": ["app.main:Base"],
    "tests/projects/seed": ["app.models:Base"],
    "tests/projects/sqlmodel": ["app.models:SQLModel"],
    "tests/projects/src_layout/src": ["shop.models:Base"],
}
# Projects of `crucible init`, with tables of kinds that those above have.
ALIKE = {
    "advanced_alchemy", "fastapi_users", "monorepo", "poetry", "requirements_only", "suite_alembic",
    "suite_create_drop", "suite_savepoint", "suite_template", "suite_truncate", "tox_ini",
}  # fmt: skip

SETS = """
import enum
from sqlalchemy import CheckConstraint, Column, DDL, Enum, ForeignKey, Index, Integer, MetaData, Table
from sqlalchemy import UniqueConstraint, event, text


class Mood(enum.Enum):
    good = 1
    bad = 2


metadata = MetaData()
for number in range(6):
    Table(
        f"t{number}",
        metadata,
        Column("id", Integer, CheckConstraint("id > 0"), CheckConstraint("id < 100"), primary_key=True),
        Column("a", Integer, ForeignKey(f"t{(number + 1) % 6}.id"), index=True, comment="a"),
        Column("b", Integer, ForeignKey(f"t{(number + 3) % 6}.id", name=f"b{number}", use_alter=True), index=True),
        Column("c", Enum(Mood), index=True),
        Index(f"lower{number}", text("lower('x')")),
        UniqueConstraint("a", "b", comment="ab"),
        UniqueConstraint("b", "c", comment="bc"),
    )
event.listen(metadata.tables["t3"], "after_create", DDL("SELECT 'three'"))
"""
PYTHON_LISTENER = """

@event.listens_for(metadata, "after_create")
def more(target, connection, **_):
    assert connection.exec_driver_sql("SELECT 1").scalar() == 1
"""
PRINT = """
import sys
from pathlib import Path
from pytest_crucible import recipes
from pytest_crucible.recipes.fingerprints import fingerprint
from pytest_crucible.settings import Settings
alembic = sys.argv[2] if sys.argv[1] == "--alembic" else None
recipe = recipes.recipe_of(Settings(root=Path.cwd(), metadata=tuple(sys.argv[1:]), alembic=alembic))
assert recipe.ddl()
print(fingerprint(recipe.parts()))
"""


def in_processes(times: int, folder: Path, *arguments: str) -> set[str]:
    """Return the fingerprints in so many processes."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    env["PYTHONPATH"] = str(folder)
    command = [sys.executable, "-W", "error", "-c", PRINT, *arguments]
    said: set[str] = set()
    for _ in range(times):
        said.add(subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True).stdout)
    assert all(said)
    return said


@pytest.mark.slow
def test_sets(tmp_path):
    """Indexes, constraints of columns and of foreign-key cycles come in any order and make one fingerprint."""
    (tmp_path / "models.py").write_text(SETS)
    assert len(in_processes(3, tmp_path, "models:metadata")) == 1


@pytest.mark.slow
@pytest.mark.parametrize("text", [SETS, SETS + PYTHON_LISTENER], ids=["listeners in SQL", "a listener in Python"])
def test_sets_in_twenty_processes(tmp_path, text):
    """The same in as many processes as would show seven to twelve texts before."""
    (tmp_path / "models.py").write_text(text)
    assert len(in_processes(20, tmp_path, "models:metadata")) == 1


@pytest.mark.slow
@pytest.mark.parametrize("sample", SAMPLES)
def test_samples_in_twenty_processes(sample):
    """Every sample project has one fingerprint."""
    if "sqlmodel" in sample:
        pytest.importorskip("sqlmodel")
    assert len(in_processes(20, ROOT / sample, *SAMPLES[sample])) == 1


def test_every_sample_is_there():
    """A new sample project comes with its metadata, or is one of those whose tables are like another's."""
    folders = {path.name for path in (ROOT / "tests" / "projects").iterdir() if path.is_dir()} - ALIKE
    assert folders == {Path(sample).parts[2] for sample in SAMPLES if sample.startswith("tests")}
