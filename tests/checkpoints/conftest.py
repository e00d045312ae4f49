"""The head of the modules whose tests use checkpoints."""

from __future__ import annotations

import inner_project
import pytest

HEAD = (
    """
import pytest
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from app import Session, User
"""
    + inner_project.STATEMENTS
)


@pytest.fixture
def head() -> str:
    """Return imports and functions of a module inside."""
    return HEAD
