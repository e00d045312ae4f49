"""What importing the application and the models does: problems, and the tables that nobody imports."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..settings import OPTIONS
from .case import Case
from .findings import Finding

SECONDS = 60


@dataclass(frozen=True)
class Inspection:
    """What `inspection` saw; `failure` is a finding where it saw nothing."""

    problems: tuple[Mapping[str, str], ...] = ()
    modules: frozenset[str] = frozenset()
    engines: tuple[Mapping[str, Any], ...] = ()
    failure: Finding | None = None


def inspected(case: Case, seconds: float = SECONDS) -> Inspection:
    """Import what the settings name, in another process."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "answer.json")
        command = [sys.executable, "-m", "pytest_crucible.doctor.inspection", str(answer)]
        try:
            done = subprocess.run(
                command, input=_question(case), capture_output=True, text=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired:
            return Inspection(failure=_hangs(case, seconds))
        except OSError as error:
            found = f"The project cannot be imported: {sys.executable} does not run: {error}"
            return Inspection(failure=Finding(found, do="Run crucible with the interpreter that runs the tests."))
        if not answer.exists():
            return Inspection(failure=_dies(case, done))
        seen = json.loads(answer.read_text("utf-8"))
    return Inspection(tuple(seen["problems"]), frozenset(seen["modules"]), tuple(seen["engines"]))


def _question(case: Case) -> str:
    paths = [str(case.root / path) for path in case.configuration.words("pythonpath")]
    values = {option.name: getattr(case.settings, option.field) for option in OPTIONS}
    return json.dumps({"root": str(case.root), "paths": paths, "file": values})


def _hangs(case: Case, seconds: float) -> Finding:
    return Finding(
        f"Importing the application takes longer than {seconds:.0f} seconds.",
        "A module waits for something while it is imported: a server, a lock, an answer.",
        f'Run `python -X importtime -c "import {_module(case)}"`, and move it to the lifespan.',
        case.configuration_file,
    )


def _dies(case: Case, done: subprocess.CompletedProcess[str]) -> Finding:
    last = (done.stderr.strip().splitlines() or ["it wrote nothing"])[-1]
    return Finding(
        f"Importing the application ends the process with {done.returncode}: {last}",
        "A module exits, or crashes the interpreter, while it is imported.",
        f'Run `python -c "import {_module(case)}"`.',
        case.configuration_file,
    )


def _module(case: Case) -> str:
    path = case.settings.app or next(iter(case.settings.metadata), "app")
    return path.partition(":")[0]


def import_fails(case: Case) -> Iterator[Finding]:
    """What a setting names, and cannot be imported."""
    if case.inspection.failure:
        yield case.inspection.failure
    for problem in case.inspection.problems:
        place = case.configuration_file, case.line_of(problem["option"])
        yield Finding(problem["found"], problem["why"], problem["do"], *place)
