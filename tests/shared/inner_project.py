"""The project whose tests run inside the tests of Crucible: configuration, models, application, and the run itself."""

from __future__ import annotations

import json
import os
import textwrap
from pathlib import Path

import pytest

SETTINGS = {
    "strict": True,
    "pythonpath": ["."],
    "crucible_app": "app:app",
    "crucible_metadata": ["app:Base"],
    "asyncio_mode": "auto",
    "asyncio_default_fixture_loop_scope": "function",
    "filterwarnings": ["error"],
}
ONE_LOOP = {"asyncio_default_fixture_loop_scope": "session", "asyncio_default_test_loop_scope": "session"}

ENGINE = """
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

engine = create_async_engine("postgresql+asyncpg://app:secret@db.production.invalid/app")
Session = async_sessionmaker(engine, expire_on_commit=False)
"""

MODELS = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
"""

APP = (
    ENGINE
    + MODELS.replace("name: Mapped[str]", "name: Mapped[str] = mapped_column(unique=True)")
    + """

from fastapi import Depends, FastAPI
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncSession

app = FastAPI()


async def get_db():
    async with Session() as session:
        yield session


@app.post("/users")
async def create(name: str, db: AsyncSession = Depends(get_db)):
    db.add(User(name=name))
    await db.commit()


@app.post("/users/careful")
async def careful(name: str, db: AsyncSession = Depends(get_db)):
    try:
        await create(name, db)
    except Exception as error:
        return JSONResponse({"error": type(error).__name__}, 500)
"""
)


# Statements in transactions of their own, by an engine of another driver than the application's.
STATEMENTS = """
engine = create_engine("postgresql+psycopg://app@db.production.invalid/app")

def run(statement, **words):
    with engine.begin() as connection:
        found = connection.execute(text(statement), words)
        return found.all() if found.returns_rows else None

def add(*names):
    for name in names:
        run("INSERT INTO users (name) VALUES (:name)", name=name)

def names():
    return [row.name for row in run("SELECT name FROM users ORDER BY name")]

def next_id():
    return run("SELECT nextval('users_id_seq')")[0][0]
"""


def configuration(**settings: object) -> str:
    """Return the text of ``pyproject.toml``; *settings* replace those above, and None removes one."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in (SETTINGS | settings).items() if value is not None]
    return "\n".join(["[tool.pytest]", *lines, ""])


def write(root: Path, name: str, text: str) -> Path:
    """Write a file of the project, as if it had been edited since the last run."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), "utf-8")
    # Python takes a compiled module for a text of the same length that was written within the same second.
    for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
        compiled.unlink()
    return path


def run(pytester: pytest.Pytester, root: Path, *arguments: str | Path, process: bool = False) -> pytest.RunResult:
    """Run pytest on the project in *root*; in a process of its own if asked."""
    given = ("-c", root / "pyproject.toml", f"--rootdir={root}", "-p", "no:cacheprovider", *arguments)
    if process:
        return pytester.runpytest_subprocess(*given)
    return pytester.runpytest_inprocess(*given, no_reraise_ctrlc=True)


def user_environment() -> dict[str, str]:
    """Return the environment of the process without what pytest, Crucible and CI have put into it."""
    ours = ("PYTEST_", "CRUCIBLE_", "COV_", "COVERAGE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    for name in ("CI", "BUILD_NUMBER", "PYTHONDONTWRITEBYTECODE"):
        kept.pop(name, None)
    return kept
