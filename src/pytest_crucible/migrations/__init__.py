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

from .checks import (
    EACH_REVISION,
    each_revision,
    test_downgrade_leaves_no_trace,
    test_models_match,
    test_single_head,
    test_stairway,
    test_upgrade,
)
from .history import Migrations, with_scripts
from .scratch import Scratch

__all__ = [
    "EACH_REVISION",
    "Migrations",
    "Scratch",
    "each_revision",
    "test_downgrade_leaves_no_trace",
    "test_models_match",
    "test_single_head",
    "test_stairway",
    "test_upgrade",
    "with_scripts",
]
