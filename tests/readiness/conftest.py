"""A project whose template takes longer to build than its application may take to start."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest

HARBOUR = """
import asyncio
from contextlib import asynccontextmanager
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine("postgresql+asyncpg://app:secret@db.production.invalid/app")


class Base(DeclarativeBase):
    pass


class Ship(Base):
    __tablename__ = "ships_NAME"
    id: Mapped[int] = mapped_column(primary_key=True)


async def connect():
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))


@asynccontextmanager
async def lifespan(app):
    await asyncio.wait_for(connect(), 1.0)
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/")
def health():
    return "up"
"""
SLOW = "import time\n\ndef load():\n    time.sleep(1.3)\n"


@pytest.fixture
def harbour(project, numbers) -> Callable[..., pytest.RunResult]:
    """Run tests of such a project, in which HARBOUR stands for the application's module."""
    name = f"harbour{numbers()}"
    (project.root / f"{name}.py").write_text(HARBOUR.replace("NAME", name))
    (project.root / f"{name}_load.py").write_text(SLOW)

    def run(tests: str, *arguments: str, load: bool = True, process: bool = False) -> pytest.RunResult:
        options = [f"--crucible-app={name}:app", f"--crucible-metadata={name}:Base"]
        options += [f"--crucible-load={name}_load:load"] if load else []
        return project.run(textwrap.dedent(tests).replace("HARBOUR", name), *options, *arguments, process=process)

    return run
