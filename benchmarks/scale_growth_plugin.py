"""The plugin that `scale_growth.py` loads: processor time and memory at the end of each window of tests."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import processor

SIZE = int(os.environ["RUNS_WINDOW"])
POSTMASTER = int(os.environ["RUNS_POSTMASTER"])
NOTES: list[dict[str, float]] = []
SEEN = {"tests": 0, "processor": 0.0, "clock": 0.0}


def pytest_runtest_logfinish() -> None:
    """Note the end of a window."""
    SEEN["tests"] += 1
    if SEEN["tests"] % SIZE == 0:
        now = time.process_time() + processor.of_server(POSTMASTER)
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        NOTES.append({"processor": (now - SEEN["processor"]) / SIZE * 1000, "memory": resident})
        SEEN["processor"] = now


def pytest_sessionfinish() -> None:
    """Write the notes."""
    Path(os.environ["RUNS_NOTES"]).write_text(json.dumps(NOTES))
