"""Lines for the user while tests run."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

import pytest


def line_writer(config: pytest.Config) -> Callable[[str], None]:
    """Return a function that writes a line to the terminal, past pytest's capture, in workers of pytest-xdist too.

    Call it while pytest is being configured: pytest does not capture yet.
    """
    stderr = os.dup(2)
    config.add_cleanup(lambda: os.close(stderr))

    def write(line: str) -> None:
        with suppress(OSError):
            os.write(stderr, f"\ncrucible: {line}\n".encode())

    return write
