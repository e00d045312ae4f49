"""The trial of drafted settings: Crucible runs with them, in a process of its own, on a copy of the project."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import indent

from .choices import Choices
from .draft import Draft
from .project_copy import ProjectCopy
from .requirements import ASYNCIO, is_installed

LIMIT = 60.0
FOLDER = "crucible_trial"
# Settings of the suite that have nothing to do with Crucible, and could stop a run of one test.
OVERRIDDEN = ("addopts=", "testpaths=", "required_plugins=", "filterwarnings=", "strict=false", "strict_config=false")
REFUSED = re.compile(r"there is no module|: \S+ has no '|which has no metadata|knows no table")
MISSING = re.compile(r"No module named '([\w.]+)'|needs the module '([\w.]+)'")
TOO_OLD = re.compile(r'(pytest-crucible needs \S+ \S+, found \S+)\.\n(?:.*\n)*?.*(pip install "[^"\n]+")')
# The hints of `settings.refused_urls` and `advice.driver_connections`.
URL_REFUSED = re.compile(r"Name a host in crucible_url_env: .*")
VARIABLE_MISSING = re.compile(r"KeyError: '([A-Z][A-Z0-9_]*)'")
OF_ENVIRONMENT = re.compile(r"\benviron\b|<frozen os>|\bos\.py\b")
URL_NEEDED = "opened this connection by itself"
SHOWN = 5  # lines of a cause

# Each test is a step, and reports itself; the first that fails ends the trial.
CONFTEST = """\
import json, pathlib, pytest

@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"

def pytest_runtest_logreport(report):
    step, file = report.nodeid.rpartition("::test_")[2], pathlib.Path(__file__).with_name("steps.json")
    steps = json.loads(file.read_text()) if file.exists() else {}
    if report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        text = crash.message if crash else str(report.longrepr)
        steps[step] = [text.partition("errors.UsageError: ")[2] or text, report.longreprtext]
    elif report.when == "call":
        steps[step] = ["", ""]
    file.write_text(json.dumps(steps))
"""
IMPORT = """\
from pathlib import Path
from pytest_crucible.settings.lookup import lookup
lookup({app!r}, option="crucible_app", root=Path({root!r}))
"""
SCHEMA = """
def test_schema(database_url):
    assert database_url
"""
SESSION = """
import pytest, sqlalchemy

@pytest.mark.{mark}
{define} test_session({fixture}):
    assert {wait}{fixture}.scalar(sqlalchemy.text("select 1")) == 1
"""
CLIENT = """
@pytest.mark.{mark}
async def test_client(async_client):
    await async_client.get("/there/is/no/such/page")
"""

# The routes are asked for a new suite's test of them; whatever goes wrong here is no failure of the settings.
ROUTES = """
@pytest.mark.{mark}
async def test_routes(async_client):
    import json, pathlib
    from pytest_crucible.auth import check_routes
    from pytest_crucible.auth.routes import WEBSOCKET, routes_of
    from {module} import {name} as application

    routes = routes_of(application)
    public = [str(route) for route in routes if not route.secured and route.method != WEBSOCKET]
    if any(route.secured for route in routes):
        faults = [str(one.route) for one in await check_routes(application, {{}}, public=public)]
        text = json.dumps({{"public": public, "faults": faults}})
        pathlib.Path(__file__).with_name("routes.json").write_text(text)
"""
OPTIONAL = "routes"


@dataclass(frozen=True)
class TrialOutcome:
    """The outcome of a trial.

    Attributes:
        done: The steps that succeeded: ``application``, ``schema``, ``session``, ``client``.
        failed: The step that failed; empty if none did.
        cause: The reason of the failure.
        text: Everything that pytest prints of the failure.
        untried: The reason why nothing, or not everything, was tried; empty if everything was.
        seconds: The time that it took.
        public: The routes that declare no security, if others do.
        faults: The routes that declare security, and answer without credentials.
    """

    done: tuple[str, ...] = ()
    failed: str = ""
    cause: str = ""
    text: str = ""
    untried: str = ""
    seconds: float = 0.0
    public: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def refuses(self) -> bool:
        """True if the settings are wrong: Crucible does not start with them, or they name what is not there."""
        return self.failed == "settings" or (bool(self.failed) and REFUSED.search(self.cause) is not None)

    @property
    def refuses_url(self) -> bool:
        """True if the application refuses the URL that `crucible_url_env` sets."""
        return URL_REFUSED.search(self.text) is not None

    @property
    def needs_url(self) -> bool:
        """True if a driver connects without SQLAlchemy, and finds no server."""
        return URL_NEEDED in self.text

    @property
    def missing_variable(self) -> str:
        """The variable of the environment that the application does not find; empty if none."""
        match = VARIABLE_MISSING.search(self.text)
        return match[1] if match and OF_ENVIRONMENT.search(self.text) else ""

    def __str__(self) -> str:
        """The outcome in one line, and the cause of a failure below it."""
        steps = " and ".join(filter(None, [", ".join(self.done[:-1]), *self.done[-1:]]))
        if self.untried:
            return f"{f'tried: {steps}; the rest ' if steps else ''}not tried, because {self.untried}"
        if not self.failed:
            return f"tried: {steps} work ({self.seconds:.1f} s)"
        works = f"{steps} {'work' if len(self.done) > 1 else 'works'}, " if steps else ""
        return f"tried: {works}{self.failed} fails:\n{indent(self.cause + self._advice(), '    ')}"

    def _advice(self) -> str:
        match = URL_REFUSED.search(self.text)
        if match and match[0] not in self.cause:
            return f"\n{match[0]}"
        if not self.missing_variable:
            return ""
        return (
            f"\nThe application needs the variable {self.missing_variable}: set it in the conftest or by pytest-env; if"
            " it holds the database's URL, name it in crucible_url_env."
        )


def attempt(draft: Draft, choices: Choices) -> TrialOutcome:
    """Import the application, build the schema, and run a test through a session and one through a client."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crucible-init-") as place:
        copy = ProjectCopy(draft, Path(place))
        outcome = _run(copy.root, choices)
        if absent := copy.lacks(outcome.text):
            outcome = TrialOutcome(outcome.done, untried=f"the copy has no {absent}, which the application reads")
        elif outcome.failed == "application" and not outcome.refuses_url and copy.with_conftests():
            outcome = _with_conftest(copy.root, choices, outcome)
    cause, text = copy.translated(outcome.cause), copy.translated(outcome.text)
    return replace(outcome, cause=cause, text=text, seconds=time.monotonic() - begun)


def _run(copy: Path, choices: Choices) -> TrialOutcome:
    """Run the steps in the copy."""
    mark = "asyncio" if choices.runner != "anyio" and is_installed(ASYNCIO) else "anyio"
    is_sync = choices.runner == "sync"
    words = {"define": "def", "wait": "", "fixture": "sync_session"}
    words = words if is_sync else {"define": "async def", "wait": "await ", "fixture": "db_session"}
    steps = [SCHEMA, SESSION.format(mark="filterwarnings('default')" if is_sync else mark, **words)]
    if choices.app is not None:
        importing = IMPORT.format(app=choices.app.place.path, root=str(copy)).replace("\n", "\n    ").rstrip()
        steps = [f"def test_application():\n    {importing}\n", *steps, CLIENT.format(mark=mark)]
        if not choices.has_suite and choices.app.framework == "fastapi" and not choices.app.is_factory:
            steps.append(ROUTES.format(mark=mark, module=choices.app.place.module, name=choices.app.place.name))
    folder = copy / FOLDER
    folder.mkdir()
    (folder / "conftest.py").write_text(CONFTEST, "utf-8")
    (folder / "test_trial.py").write_text("".join(steps), "utf-8")
    printed, is_late = _pytest(copy, folder)
    if is_late:
        return TrialOutcome(untried=f"the trial took longer than {LIMIT:.0f} seconds")
    file = folder / "steps.json"
    found: dict[str, tuple[str, str]] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    if not found and (match := TOO_OLD.search(printed)):
        return TrialOutcome(untried=f"{match[1]}: {match[2]}")
    found = found or {"settings": (_tail(printed), printed)}
    found.pop(OPTIONAL, None)
    done = tuple(step for step, (cause, _) in found.items() if not cause)
    failed, (cause, text) = next(((step, texts) for step, texts in found.items() if texts[0]), ("", ("", "")))
    cause = "\n".join(cause.splitlines()[:SHOWN])
    missing = _not_installed(copy, cause)
    if missing:
        return TrialOutcome(done, untried=f"{missing} is not installed here")
    file = folder / "routes.json"
    routes: dict[str, list[str]] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    return TrialOutcome(
        done, failed, cause, text, public=tuple(routes.get("public", ())), faults=tuple(routes.get("faults", ()))
    )


def _with_conftest(copy: Path, choices: Choices, before: TrialOutcome) -> TrialOutcome:
    """Import the application after the suite's conftest, which may set what it needs; no fixture is set up."""
    if choices.app is None:
        return before
    place = copy / choices.tests if (copy / choices.tests).is_dir() else copy
    folder = place / FOLDER
    folder.mkdir(exist_ok=True)
    (folder / "conftest.py").unlink(missing_ok=True)
    text = IMPORT.format(app=choices.app.place.path, root=str(copy))
    (folder / "test_trial.py").write_text(f"{text}\ndef test_application(): ...\n", "utf-8")
    printed, is_late = _pytest(copy, folder, "--collect-only")
    if is_late or "1 test collected" not in printed:
        return before
    return TrialOutcome(untried="the application needs what the suite's conftest sets; after it, it can be imported")


def _pytest(copy: Path, folder: Path, *words: str) -> tuple[str, bool]:
    """Return what pytest printed, and whether it was stopped because it took too long."""
    overrides = [word for value in OVERRIDDEN for word in ("-o", value)]
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", *overrides, *words, str(folder)]
    environment = {**os.environ, "PYTEST_ADDOPTS": "", "NO_COLOR": "1"}
    try:
        done = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "", True
    return done.stdout + done.stderr, False


def _not_installed(copy: Path, cause: str) -> str | None:
    """Return the module that the application needs and this environment lacks."""
    match = MISSING.search(cause)
    name = (match[1] or match[2]).partition(".")[0] if match else ""
    is_own = any((folder / name).is_dir() or (folder / f"{name}.py").is_file() for folder in (copy, copy / "src"))
    return name if name and not is_own and "there is no module" not in cause else None


def _tail(printed: str) -> str:
    """Return the end of what pytest printed: its own error, or Crucible's."""
    lines = [line for line in printed.splitlines() if line.strip()]
    return "\n".join(lines[-SHOWN:]) or "pytest printed nothing"
