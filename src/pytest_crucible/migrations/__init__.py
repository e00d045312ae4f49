"""Checks of a project's migrations.

Each is a plain function, and a test in every module that imports it::

    # tests/test_migrations.py
    from pytest_crucible.migrations import (
        test_downgrade_leaves_no_trace,
        test_models_match,
        test_single_head,
        test_stairway,
        test_upgrade,
    )

They run on databases of their own, which begin empty and are dropped afterwards.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .checks import test_downgrade_leaves_no_trace, test_models_match, test_single_head, test_stairway, test_upgrade
    from .each import each_revision
    from .migrations import Migrations
    from .scratch import Scratch

__all__ = [
    "Migrations",
    "Scratch",
    "each_revision",
    "test_downgrade_leaves_no_trace",
    "test_models_match",
    "test_single_head",
    "test_stairway",
    "test_upgrade",
]

_HOMES = {"Migrations": "migrations", "Scratch": "scratch", "each_revision": "each"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(f".{_HOMES.get(name, 'checks')}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
