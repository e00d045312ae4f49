"""The number of examples of the property tests of the slow tier."""

from __future__ import annotations

import os


def examples(number: int) -> int:
    """Return *number* if the variable ``EXAMPLES`` is ``all``, else an eighth: each run draws other examples."""
    return number if os.environ.get("EXAMPLES") == "all" else number // 8
