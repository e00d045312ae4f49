"""``crucible init``: the set-up of a test suite on PostgreSQL, or the conversion of an existing one."""

from __future__ import annotations

import argparse
import os
import pydoc
import shutil
import sys
from dataclasses import dataclass, replace
from textwrap import indent
from typing import Any

from pygments import highlight
from pygments.formatters import TerminalFormatter
from pygments.lexers import DiffLexer

from ..errors import UsageError
from ..errors.counting import counted
from ..project.modules import read, without_collecting
from ..project.sqlite_engines import sqlite_engines
from ..project.survey import Finds
from ..scaffold import configuration as configuring
from ..scaffold import first_tests as layers
from ..scaffold import nested, resolution, suite
from ..scaffold import replaced_fixtures as replacing
from ..scaffold import requirements as dependencies
from ..scaffold.candidates import Candidates, best
from ..scaffold.choices import Choices
from ..scaffold.draft import Draft, write
from ..scaffold.questions import Questions
from ..scaffold.trial import TrialOutcome, attempt

ATTEMPTS = 4
DONE = "Everything is set up: nothing to write."
LACKS = "pytest-crucible is not among the requirements."
DOCTOR = "`crucible doctor` says more"
NEEDED = {
    "application": "the application",
    "schema": "the schema",
    "session": "a session",
    "client": "a client of the application",
    "settings": "Crucible",
}
QUESTION = "Try these settings on a copy of the project? The application is imported; only its database is redirected."


def run(options: argparse.Namespace) -> int:
    """Read the project, ask, show the diff, and write.

    Returns:
        0; with ``--check``, 1 if there is something to write.

    Raises:
        UsageError: If this is no project of an application on SQLAlchemy, or the questions need a terminal.
    """
    root = options.root.resolve()
    if not root.is_dir():
        raise UsageError(f"{options.root} is no folder.", do="Name the folder of the project.")
    ask = Questions(yes=options.yes, dry_run=options.dry_run or options.check)
    try:
        with without_collecting():
            finds = nested.survey(read(root))
            plan = _plan(finds, ask, options)
            has_client = plan.outcome is None or plan.outcome.failed not in ("application", "client")
            needless = replacing.needless(finds, plan.choices, has_client=has_client)
        code = _finish(plan, ask, options)
    except PermissionError as error:
        raise UsageError(
            f"{error.filename} cannot be read: {error.strerror}.", do="Make it readable, and run `crucible init` again."
        ) from error
    except EOFError:
        print("\nNothing has been written.")
        return 1
    for line in needless:
        print(line)
    return code


@dataclass(frozen=True)
class Plan:
    """The planned files, the choices behind them, notes for the user, and where engines of the tests use SQLite.

    `pins` says what to raise if the requirements cannot be resolved together.
    """

    draft: Draft
    choices: Choices
    notes: list[str]
    requirements: dependencies.RequirementList
    without_requirements: str | None
    commands: str
    sqlite: tuple[str, ...] = ()
    outcome: TrialOutcome | None = None
    pins: str = ""

    @property
    def failure(self) -> str:
        """The part that the trial has shown to fail, and its cause, or what the tests rely on; empty if none."""
        if self.outcome is None or not self.outcome.failed:
            return f"the tests use SQLite and not PostgreSQL: {', '.join(self.sqlite)}" if self.sqlite else ""
        cause = self.outcome.cause.partition("\n")[0]
        return f"pytest will fail where it needs {NEEDED[self.outcome.failed]}, as the trial did:\n    {cause}"

    def next_steps(self) -> str:
        """Return what the user does next."""
        if not self.failure:
            return f"Next: {self.pins or self.commands}"
        install = self.pins or self.commands.rpartition(", then: ")[0]
        what = "what has failed" if self.outcome and self.outcome.failed else "the engine named first below"
        return f"Next: {install}, then mend {what} ({DOCTOR}). Until then {self.failure}"

    def resolved(self, finds: Finds) -> tuple[Plan, str]:
        """Ask the installer; return the plan without requirements that cannot be resolved, and a line for the user."""
        if not any(change.path == self.requirements.file for change in self.draft.changes()):
            return self, "requirements: unchanged"
        why, unchecked = resolution.conflict(self.draft, finds, self.requirements)
        if not why:
            return self, f"requirements: {f'not checked, because {unchecked}' if unchecked else 'can be resolved'}"
        pins = resolution.to_raise(self.draft, self.requirements)
        self.draft.put(self.requirements.file, self.without_requirements)
        lead = f"requirements: not written, since {resolution.installer(finds)} cannot resolve them together:"
        return replace(self, pins=pins), f"{lead}\n{indent(why, '    ')}"


def _plan(finds: Finds, ask: Questions, options: argparse.Namespace) -> Plan:
    """Return the first plan of a few whose application and schema work, or else the best of them.

    Raises:
        UsageError: If the plugin refuses the settings.
    """
    candidates = Candidates(finds, ask)
    choices: Choices | None = candidates.first()
    tried: list[tuple[Plan, TrialOutcome]] = []
    while choices is not None and len(tried) < ATTEMPTS:
        _say(finds, choices)
        plan = _draft(finds, choices, ask, modernize=options.modernize)
        outcome = _outcome(plan, ask, options, is_first=not tried)
        if outcome is None:
            return plan
        print(outcome)
        tried.append((plan, outcome))
        choices = candidates.after(choices, outcome) if plan.draft.changes() else None
    plan, outcome = best(tried)
    if not plan.draft.changes():
        return replace(plan, outcome=outcome)
    if outcome.refuses:
        raise UsageError(
            f"Crucible refuses what `crucible init` would write: {outcome.cause}",
            why="No other candidate works. Nothing has been written.",
            do="Set crucible_app and crucible_metadata by hand (README.md), and run `crucible init` again.",
        )
    if not options.no_try and (options.yes or not (options.dry_run or options.check)):
        plan, said = plan.resolved(finds)
        print(said)
    plan.notes[:0] = layers.add_routes(plan.draft, plan.choices, outcome)
    return replace(plan, outcome=outcome)


def _outcome(plan: Plan, ask: Questions, options: argparse.Namespace, *, is_first: bool) -> TrialOutcome | None:
    """Return the outcome of a trial, or why there is none; None if there is nothing to write or to try."""
    if not plan.draft.changes() and (options.no_try or options.dry_run or options.check):
        return None
    if options.no_try:
        return TrialOutcome(untried="--no-try declines it")
    if (options.dry_run or options.check) and not options.yes:
        return TrialOutcome(untried="only --yes agrees to import the application")
    if is_first and not ask.confirm(QUESTION, default=True):
        options.no_try = True
        return TrialOutcome(untried="you decline it")
    return attempt(plan.draft, plan.choices)


def _draft(finds: Finds, choices: Choices, ask: Questions, *, modernize: bool) -> Plan:
    """Return the planned files, and notes on them."""
    draft = Draft(finds.project.root)
    if choices.has_suite and not modernize:
        configuring.add_options(draft, finds, choices)
        by_hand, notes = list[str](), list[str]()
    else:
        by_hand = [] if choices.has_suite else list(layers.add(draft, finds, choices))
        notes = configuring.configure(draft, finds, choices, _forbidden(draft, choices))
    notes += [*suite.wide_sessions(finds), *suite.other_installers(finds)]
    place = dependencies.place_of(finds, ask)
    before = draft.read(place.file)
    dependencies.require(draft, finds, choices, place)
    commands = place.commands(resolution.installer(finds))
    sqlite = tuple(one.place.where(finds.project.root) for one in sqlite_engines(finds))
    return Plan(draft, choices, [*notes, *by_hand], place, before, commands, sqlite)


def _forbidden(draft: Draft, choices: Choices) -> dict[str, Any]:
    """Return the option that keeps new unit tests from the database; tests that exist are forbidden nothing."""
    unit = f"{choices.tests}/unit"
    is_new = any(draft.root / unit in change.path.parents for change in draft.changes())
    return {"crucible_no_database": [unit]} if is_new else {}


def _say(finds: Finds, choices: Choices) -> None:
    """Print the situation, and the choices with location and reason."""
    root = finds.project.root
    if choices.has_suite:
        count = counted(len(suite.modules(finds)), "test module")
        print(f"suite: {count} in {choices.tests}, whose settings and fixtures stay as they are")
    else:
        print(f"suite: none yet; the first tests go to {choices.tests}")
    _say_places(finds, choices)
    if choices.alembic:
        print(f"migrations: {choices.alembic}")
    for entry in choices.databases:
        print(f"further database: {entry}")
    for entry in choices.variables:
        print(f"variable: {entry} (crucible_url_env)")
    if choices.shares_session:
        print(f"isolation: rollback, since {choices.reasons['crucible_isolation']}")
    if choices.app is None and (given := finds.configuration.text("crucible_app")):
        print(f"application: {given}, as set")
    elif choices.app is None:
        print("application: none found that can be named, so no test calls it")
    file = finds.configuration.file
    print(f"configuration of pytest: {file.relative_to(root) if file else 'none'}")


def _say_places(finds: Finds, choices: Choices) -> None:
    """Print each object that an option names, with its location and the reason."""
    app, session, token = choices.app, choices.get_session, choices.token
    imported = [app.place.module] if app else []
    places = [("application", "crucible_app", app.place, [app.place.path])] if app else []
    places += [
        ("models", "crucible_metadata", one.place, one.paths(finds.project, *imported)) for one in choices.metadata
    ]
    places += [("session dependency", "crucible_get_session", session, [session.path])] if session else []
    places += [("token function", "crucible_access_token", token.place, [token.place.path])] if token else []
    for what, option, place, paths in places:
        reason = f", {choices.reasons[option]}" if option in choices.reasons else ""
        print(f"{what}: {', '.join(paths)} ({place.where(finds.project.root)}{reason})")


def _finish(plan: Plan, ask: Questions, options: argparse.Namespace) -> int:
    changes = plan.draft.changes()
    if not changes:
        lacks = f"{LACKS}\n{plan.next_steps()}" if plan.pins else ""
        why = lacks or (plan.failure and f"{plan.failure}\n{DOCTOR}.")
        print(f"\nNothing to write, but {why}" if why else f"\n{DONE}")
        return int(options.check and bool(lacks))
    _show("".join(f"\n{change.diff(plan.draft.root)}" for change in changes), is_asking=not ask.answered)
    if options.dry_run or options.check:
        print("Nothing has been written.")
    elif not ask.confirm(f"Change {counted(len(changes), 'file')}?"):
        print("Nothing has been written.")
        return 1
    else:
        write(changes)
        print(f"{counted(len(changes), 'file')} changed.")
    for note in [*plan.notes, plan.next_steps()]:
        print(note)
    return int(options.check)


def _show(diff: str, *, is_asking: bool) -> None:
    """Print a diff: in colours on a terminal, and by a pager if the user is asked about a long one."""
    if not sys.stdout.isatty():
        print(diff)
        return
    text = diff if os.environ.get("NO_COLOR") else highlight(diff, DiffLexer(), TerminalFormatter())
    if is_asking and diff.count("\n") > shutil.get_terminal_size().lines:
        os.environ.setdefault("LESS", "-FRX")  # less shows colours, and leaves the diff on the screen
        pydoc.pager(text)
    else:
        print(text)
