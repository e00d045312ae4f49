"""The result of importing the settings' objects in a process of its own: loaded modules and failures."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import CrucibleError
from ...server import Address
from ...settings import OPTIONS, Settings
from ...worker.roles import DEFAULT_ROLE

SECONDS = 60


@dataclass(frozen=True)
class Inspection:
    """The result of an import; `failure` gives the reason if there is none."""

    problems: tuple[Mapping[str, str], ...] = ()
    modules: frozenset[str] = frozenset()
    connections: int = 0
    failure: CrucibleError | None = None


def inspected(
    settings: Settings, pythonpath: Collection[str], seconds: float = SECONDS, conftests: Sequence[Path] = ()
) -> Inspection:
    """Import the settings' objects in another process, with the folders of *pythonpath* on its path.

    If that fails, it is tried again after *conftests*, which may set what the application needs.
    """
    seen = _inspected(settings, pythonpath, seconds)
    if not conftests or not (seen.failure or any(not one["severity"] for one in seen.problems)):
        return seen
    after = _inspected(settings, pythonpath, seconds, conftests)
    if after.failure or any(not one["severity"] for one in after.problems):
        return seen
    names = " and ".join(path.relative_to(settings.root).as_posix() for path in conftests)
    first = seen.failure.found if seen.failure else seen.problems[0]["found"]
    needs = {
        "option": "crucible_app" if seen.failure else seen.problems[0]["option"],
        "found": f"The application needs what {names} sets. Without it: {first}",
        "why": "pytest imports the conftest first, and so a run has no difficulty.",
        "do": "Nothing for the tests. Other programs that import the application need these values, too.",
        "severity": "note",
    }
    return replace(after, problems=(needs, *after.problems))


def _inspected(
    settings: Settings, pythonpath: Collection[str], seconds: float, conftests: Sequence[Path] = ()
) -> Inspection:
    values = {option.name: getattr(settings, option.field) for option in OPTIONS}
    paths = [str(settings.root / path) for path in pythonpath]
    first = [str(path) for path in conftests]
    question = json.dumps({"root": str(settings.root), "paths": paths, "file": values, "conftests": first})
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "answer.json")
        command = [sys.executable, "-m", "pytest_crucible.doctor.probes.import_process", str(answer)]
        try:
            done = subprocess.run(command, input=question, capture_output=True, text=True, timeout=seconds, check=False)
        except subprocess.TimeoutExpired:
            return Inspection(failure=_hangs(settings, pythonpath, seconds))
        except OSError as error:
            found = f"The project cannot be imported: {sys.executable} does not run: {error}"
            return Inspection(failure=CrucibleError(found, do="Run crucible with the interpreter that runs the tests."))
        if not answer.exists():
            return Inspection(failure=_dies(settings, pythonpath, done))
        seen = json.loads(answer.read_text("utf-8"))
    problems = tuple(one | {"do": _command(one["do"], settings, pythonpath)} for one in seen["problems"])
    return Inspection(problems, frozenset(seen["modules"]), seen["connections"])


def variables(settings: Settings) -> dict[str, str]:
    """Return the variables of ``crucible_url_env`` with URLs as a run has them, which lead to no server."""
    host = "/nowhere" if settings.server == "embedded" else "127.0.0.1"  # a unix socket, or a port that is not in use
    return {
        one.name: Address(host, 1, DEFAULT_ROLE, one.database or "crucible").url(one.drivername, one.host)
        for one in settings.variables()
    }


def _command(do: str, settings: Settings, pythonpath: Collection[str]) -> str:
    """Return the advice *do*, whose command of Python gets the variables and the path that the import had."""
    given = {"PYTHONPATH": os.pathsep.join(pythonpath)} if pythonpath else {}
    words = [f"{name}={shlex.quote(value)}" for name, value in (given | variables(settings)).items()]
    return do.replace("`python -", f"`{' '.join([*words, 'python'])} -")


def _hangs(settings: Settings, pythonpath: Collection[str], seconds: float) -> CrucibleError:
    do = f'Run `python -X importtime -c "import {_module(settings)}"`, and move it to the lifespan.'
    return CrucibleError(
        f"Importing the application takes longer than {seconds:.0f} seconds.",
        why="A module waits for something while it is imported: a server, a lock, an answer.",
        do=_command(do, settings, pythonpath),
    )


def _dies(settings: Settings, pythonpath: Collection[str], done: subprocess.CompletedProcess[str]) -> CrucibleError:
    last = (done.stderr.strip().splitlines() or ["it wrote nothing"])[-1]
    return CrucibleError(
        f"Importing the application ends the process with {done.returncode}: {last}",
        why="A module exits, or crashes the interpreter, while it is imported.",
        do=_command(f'Run `python -c "import {_module(settings)}"`.', settings, pythonpath),
    )


def _module(settings: Settings) -> str:
    path = settings.app or next(iter(settings.metadata), "app")
    return path.partition(":")[0]
