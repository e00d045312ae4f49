"""The side of frontrun in `races.py`: prints a line of JSON for each case; runs in an environment of its own."""

from __future__ import annotations

import json
import time

import frontrun  # type: ignore[import-not-found]
from races_cases import CASES, Case, rows


def explored(case: Case) -> tuple[str, int]:
    """Return what frontrun says, and the number of orders."""
    try:
        result = frontrun.explore(
            setup=rows,
            workers=[lambda _, actor=actor: actor() for actor in case.actors],
            invariant=lambda _: case.invariant(),
            total_timeout=30,
            reproduce_on_failure=0,
        )
    except Exception as error:  # noqa: BLE001 whatever it raises is its result
        return f"error: {type(error).__name__}", 0
    explanation = str(result.explanation or "")
    if "inconclusive" in explanation:
        return "inconclusive", result.num_explored
    return "nothing" if result.property_holds else "found", result.num_explored


for each in CASES:
    began = time.perf_counter()
    said, orders = explored(each)
    print(json.dumps([each.name, said, orders, time.perf_counter() - began]), flush=True)
