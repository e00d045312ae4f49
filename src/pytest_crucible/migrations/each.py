"""Tests that run once for each revision."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Check = TypeVar("Check", bound=Callable[..., object])

# The plugin looks for it on each collected test function, so this module imports nothing that takes time.
EACH_REVISION = "__crucible_each_revision__"


def each_revision(test: Check) -> Check:
    """Run a test once for each revision, with its identifier as the argument ``revision``.

    ::

        @each_revision
        def test_revisions_are_numbered(migrations, revision):
            assert len(revision) == 4
    """
    setattr(test, EACH_REVISION, True)
    return test
