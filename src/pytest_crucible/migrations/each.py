"""Tests that run once for each revision."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Check = TypeVar("Check", bound=Callable[..., object])

# Looked for on each test function that is collected, so this module imports nothing that takes time.
EACH_REVISION = "__crucible_each_revision__"


def each_revision(test: Check) -> Check:
    """Run a test once for each revision, whose identifier it gets as the argument ``revision``.

    ::

        @each_revision
        def test_revisions_are_numbered(migrations, revision):
            assert len(revision) == 4
    """
    setattr(test, EACH_REVISION, True)
    return test
