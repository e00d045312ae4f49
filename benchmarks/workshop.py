"""A place to work in: a cache that nothing else uses, and that is gone afterwards; and isolated tests."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_crucible.handle import Test
    from pytest_crucible.run import Run


@contextmanager
def cache() -> Iterator[str]:
    """Servers and images of this process, and of those that it starts, are its own."""
    with tempfile.TemporaryDirectory(prefix="crucible-bench-", ignore_cleanup_errors=True) as folder:
        os.environ["CRUCIBLE_CACHE"] = folder
        yield folder


@contextmanager
def isolated(run: Run, isolation: str = "reset") -> Iterator[Test]:
    """Isolate a test without pytest, in whose shadow the reset would go on: the end waits for it."""
    with run.isolated(run.new_test("benchmark", isolation, keep=False)) as test:
        yield test
    run.isolation.finish_reset()
