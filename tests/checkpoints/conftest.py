"""The head of the modules whose tests use checkpoints."""

from __future__ import annotations

import pytest

HEAD = """
import pytest
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from app import Session, User

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


@pytest.fixture
def head() -> str:
    """Return imports and functions of a module inside."""
    return HEAD
