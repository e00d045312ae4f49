"""pytest-alembic's own tests run on a database of Crucible's, without any wiring.

It breaks every project on pytest 9.2 (``'TestCollector' object has no attribute '_nodeid'``), so it runs in a virtual
environment of its own, with the newest pytest that it works with.
"""

from __future__ import annotations

import os
import subprocess
import venv
from pathlib import Path

import pytest

from . import conftest as projects

REPOSITORY = Path(__file__).parents[2]
pytestmark = pytest.mark.slow

MODELS = """
from sqlalchemy import Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str | None] = mapped_column(Text)
"""

# As pytest-alembic's documentation has a project change what `alembic init` wrote.
TAKEN_SYNC = projects.SYNC_ENV.replace(
    "connectable = engine_from_config(section",
    'connectable = config.attributes.get("connection") or engine_from_config(section',
)
TAKEN_ASYNC = projects.ASYNC_ENV.replace(
    "connectable = async_engine_from_config(section",
    'connectable = config.attributes.get("connection") or async_engine_from_config(section',
)
ENVS = {
    "sync": projects.SYNC_ENV,
    "async": projects.ASYNC_ENV,
    "sync, and takes an engine": TAKEN_SYNC,
    "async, and takes an engine": TAKEN_ASYNC,
}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an interpreter that has pytest-alembic, and a pytest that it works with."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    words = ["pytest==9.1.*", "pytest-alembic==0.13.1", "asyncpg"]
    done = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--editable", REPOSITORY, *words],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"no registry to install pytest-alembic from: {done.stderr[-500:]}")
    return python


@pytest.fixture
def project(suite):
    """Models, and migrations that make them."""
    suite.write("pyproject.toml", '[tool.pytest]\ncrucible_alembic = "alembic.ini"\n')
    suite.write("models.py", MODELS)
    suite.write("tests/conftest.py", "")
    suite.edit("alembic.ini", "path_separator", "prepend_sys_path = .\npath_separator")
    suite.revision("0001", "Create TABLE users (id int PRIMARY KEY)", "Drop TABLE users")
    suite.revision("0002", "Alter TABLE users ADD name text", "Alter TABLE users DROP name", parent="0001")
    return suite


def run(project, python, *arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    words = [python, "-m", "pytest", "-q", "--test-alembic", "tests", *arguments]
    return subprocess.run(words, cwd=project.root, env=environment, check=False, capture_output=True, text=True)


@pytest.mark.parametrize("kind", ENVS)
def test_its_own_tests_pass(project, python, kind):
    """Single head, upgrade, up and down, and models: on an empty database, with any ``env.py``."""
    env = ENVS[kind].replace("target_metadata = None", "from models import Base\n\ntarget_metadata = Base.metadata")
    project.env(env)
    if "async" in kind:
        project.edit("alembic.ini", "postgresql+psycopg", "postgresql+asyncpg")
    before = set(project.admin.databases("crucible_"))
    done = run(project, python)
    assert "4 passed" in done.stdout, done.stdout + done.stderr
    assert {name for name in set(project.admin.databases("crucible_")) - before if "_t_" not in name} == set()


def test_it_finds_what_it_looks_for(project, python):
    """A model without a migration fails its test: the database is the one that the migrations made."""
    project.env(projects.SYNC_ENV.replace("= None", "= __import__('models').Base.metadata"))
    project.edit("models.py", "    name:", "    age: Mapped[int]\n    name:")
    done = run(project, python)
    assert "1 failed, 3 passed" in done.stdout, done.stdout + done.stderr
    assert "sa.Column('age', sa.Integer()" in done.stdout


def test_a_projects_own_engine_wins(project, python):
    """A fixture ``alembic_engine`` in the project's conftest is used, as always in pytest."""
    project.env(projects.SYNC_ENV)
    project.write(
        "tests/conftest.py", "import pytest\n\n@pytest.fixture\ndef alembic_engine():\n    pytest.skip('mine')\n"
    )
    done = run(project, python, "-rs")
    assert "4 skipped" in done.stdout, done.stdout + done.stderr
    assert "mine" in done.stdout
