"""The report at the end of a run: figures, which each process collects, and the summary that merges them."""

from __future__ import annotations

from .figures import Figures, Repetition
from .frames import lasting_names, named, only_frames_of_project
from .hinted import Hinted
from .summary import Summary
from .terminal import line_writer

__all__ = [
    "Figures",
    "Hinted",
    "Repetition",
    "Summary",
    "lasting_names",
    "line_writer",
    "named",
    "only_frames_of_project",
]
