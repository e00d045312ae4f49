"""A place to work in: a cache that nothing else uses, and that is gone afterwards."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def cache() -> Iterator[str]:
    """Servers and images of this process, and of those that it starts, are its own."""
    with tempfile.TemporaryDirectory(prefix="crucible-bench-", ignore_cleanup_errors=True) as folder:
        os.environ["CRUCIBLE_CACHE"] = folder
        yield folder
