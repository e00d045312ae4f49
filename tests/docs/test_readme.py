"""The README's own lines, run as they stand, on an application that knows nothing of its tests."""

import re
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")

MODELS = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
"""

MAIN = """
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Body, Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from .models import Item

engine = create_async_engine("postgresql+asyncpg://shop:secret@db.production.invalid/shop")
sessions = async_sessionmaker(engine)
app = FastAPI()

async def get_db() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session

@app.post("/items", status_code=201)
async def create(name: Annotated[str, Body(embed=True)], db: Annotated[AsyncSession, Depends(get_db)]):
    item = Item(name=name)
    db.add(item)
    await db.flush()
    made = {"id": item.id}
    await db.commit()
    return made
"""


def block(language: str, number: int = 0) -> str:
    """Return the text of one fenced block of the README."""
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    return found[number]


@pytest.mark.slow
def test_the_first_test_of_the_readme_passes(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """The settings and the test that the README begins with work as they are, with nothing else in the project."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    pytester.makepyprojecttoml(block("toml"))
    package = pytester.mkpydir("app")
    (package / "models.py").write_text(MODELS)
    (package / "main.py").write_text(MAIN)
    pytester.mkdir("tests").joinpath("test_items.py").write_text(block("python"))
    result = pytester.runpytest_subprocess("-W", "error")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["crucible: embedded PostgreSQL, isolation reset"])
