"""Lines for the user while tests run."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

import pytest


def line_writer(config: pytest.Config) -> Callable[[str], None]:
    """Return what writes a line to the terminal, past pytest's capture and from a worker of pytest-xdist.

    To be called while pytest is configured: then it captures nothing.
    """
    stderr = os.dup(2)
    config.add_cleanup(lambda: os.close(stderr))

    def write(line: str) -> None:
        with suppress(OSError):
            os.write(stderr, f"\ncrucible: {line}\n".encode())

    return write
