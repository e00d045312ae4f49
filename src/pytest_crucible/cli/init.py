"""``crucible init``: the set-up of a test suite on PostgreSQL, or the conversion of an existing one."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..errors.counting import counted
from ..project import Finds, find, read
from ..scaffold import configuration as configuring
from ..scaffold import first_tests as layers
from ..scaffold import replaced_fixtures as replacing
from ..scaffold import requirements as dependencies
from ..scaffold import suite
from ..scaffold.choices import Choices, is_on, settle
from ..scaffold.draft import Draft, write
from ..scaffold.questions import Questions

PROJECTS = ("pyproject.toml", "setup.py", "requirements.txt")


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
        finds = find(read(root))
        _refuse_nested(finds)
        draft, notes, needless = _draft(finds, ask)
        code = _finish(draft, notes, ask, options)
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


def _refuse_nested(finds: Finds) -> None:
    """Refuse a root whose applications all lie in nested projects: they are imported and tested there.

    Raises:
        UsageError: If there is no application outside such folders.
    """
    root = finds.project.root
    places = [*(one.place for one in finds.applications), *(one.place for one in finds.metadata)]
    homes = [_home(root, place.file) for place in places]
    if homes and root not in homes:
        names = ", ".join(sorted({home.relative_to(root).as_posix() for home in homes}))
        raise UsageError(
            f"The application lies in a project of its own: {names}.",
            why=f"That folder has a {', or a '.join(PROJECTS)}; its modules are not imported from {root}.",
            do=f"Run `crucible init --root {min(homes).relative_to(root).as_posix()}`.",
        )


def _home(root: Path, file: Path) -> Path:
    """Return the root of the project that a file belongs to."""
    inside = [folder for folder in file.parents if root in folder.parents]
    return next((folder for folder in inside if any((folder / name).is_file() for name in PROJECTS)), root)


def _draft(finds: Finds, ask: Questions) -> tuple[Draft, list[str], list[str]]:
    """Return the planned files, notes on them, and the fixtures to delete by hand."""
    draft = Draft(finds.project.root)
    choices = settle(finds, ask)
    _say(finds, choices)
    by_hand = list(layers.add(draft, finds, choices))
    notes = configuring.configure(draft, finds, choices, _forbidden(draft, finds, choices))
    notes += suite.wide_sessions(finds)
    install = dependencies.require(draft, finds, choices, ask)
    return draft, [*notes, *by_hand, f"Next: {install}, then: pytest"], replacing.needless(finds, choices)


def _forbidden(draft: Draft, finds: Finds, choices: Choices) -> dict[str, Any]:
    """Return the option that keeps the unit tests from the database, if there are any and none uses it."""
    unit = f"{choices.tests}/unit"
    folder = draft.root / unit
    exists = folder.is_dir() or any(folder in change.path.parents for change in draft.changes())
    return {"crucible_no_database": [unit]} if exists and not is_on(finds) and suite.may_forbid(finds, unit) else {}


def _say(finds: Finds, choices: Choices) -> None:
    """Print the choices, each with its location."""
    root = finds.project.root
    found: list[tuple[str, Any]] = [("application", choices.app), *(("models", one) for one in choices.metadata)]
    found += [("session dependency", choices.get_session), ("token function", choices.token)]
    for what, one in found:
        if one is not None:
            print(f"{what}: {one.place.path} ({one.place.where(root)})")
    if choices.alembic:
        print(f"migrations: {choices.alembic}")
    if choices.app is None:
        print("application: none found that can be named, so no test calls it")
    file = finds.configuration.file
    print(f"configuration of pytest: {file.relative_to(root) if file else 'none'}")


def _finish(draft: Draft, notes: Iterable[str], ask: Questions, options: argparse.Namespace) -> int:
    changes = draft.changes()
    if not changes:
        print("\nEverything is set up: nothing to write.")
        return 0
    for change in changes:
        print(f"\n{change.diff(draft.root)}", end="")
    print()
    if options.dry_run or options.check:
        print("Nothing has been written.")
    elif not ask.confirm(f"Change {counted(len(changes), 'file')}?"):
        print("Nothing has been written.")
        return 1
    else:
        write(changes)
        print(f"{counted(len(changes), 'file')} changed.")
    for note in notes:
        print(note)
    return int(options.check)
