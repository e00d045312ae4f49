"""The command ``crucible``: set-up and checks of a suite, and access to databases that outlive a run."""

from __future__ import annotations

import argparse
import atexit
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest_crucible

from ..errors import CrucibleError, UsageError
from ..errors.masking import Masked, mask
from ..project.pytest_configuration import root_of
from . import databases, demo, init


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The arguments after ``crucible``; those of the process by default.

    Returns:
        The exit code: 0; 1 for an error that a message explains; 2 for invalid arguments; 130 after Ctrl-C; 141 if the
        reader of the output has closed the pipe.
    """
    # Python's last collection takes longer than all the rest where the trees of a large project are still there.
    atexit.register(gc.freeze)
    try:
        try:
            return _run(argv)
        finally:
            sys.stdout.flush()  # otherwise Python itself would report the closed pipe at its exit
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at its exit
        return 141  # a shell's code for a program that SIGPIPE has ended


def _run(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    try:
        options.root = options.root or _root()
        code: int = options.run(options)
    except CrucibleError as error:
        print(f"crucible: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="crucible", description="Set up and check a test suite, and open its databases."
    )
    parser.add_argument("--version", action="version", version=f"crucible {pytest_crucible.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _demo(commands)
    _init(commands)
    _doctor(commands)
    psql = _command(commands, "psql", databases.psql, "open a kept database with psql; without a name, list them")
    last = "open the most recently kept database; further arguments are for psql"
    psql.add_argument("--last", nargs=argparse.REMAINDER, help=last, metavar="...")
    psql.add_argument("name", nargs="?", help="the name, or its beginning")
    psql.add_argument("words", nargs=argparse.REMAINDER, help="arguments for psql, as in: -c 'select 1'")
    _command(commands, "server", databases.server, "keep the project's server running until Ctrl-C")
    _command(commands, "templates", databases.show, "list the templates and kept databases")
    gc = _command(commands, "gc", databases.gc, "drop kept databases, and the worker databases of dead processes")
    gc.add_argument("--templates", action="store_true", help="drop the templates as well")
    gc.add_argument("--cache", action="store_true", help="clean the cache instead: remove unused images and programs")
    gc.add_argument("--days", type=float, default=7, metavar="N", help="for --cache: unused for N days (default: 7)")
    return parser


def _diagnose(options: argparse.Namespace) -> int:
    """Print the findings of the checks."""
    from ..doctor import as_json, as_text, diagnose  # SQLAlchemy and psycopg, which `crucible init` has no use for

    without = [what for what in ("import", "server") if getattr(options, f"no_{what}")]
    diagnosis = diagnose(options.root.resolve(), ignore=options.ignore, without=without)
    print(as_json(diagnosis) if options.json else as_text(diagnosis))
    return diagnosis.exit_code(strict=options.strict)


def _doctor(commands: Any) -> None:
    text = "check the project's tests and this machine; exit with 1 if there is an error or a warning"
    parser = _named(commands, "doctor", _diagnose, text)
    parser.add_argument("--json", action="store_true", help="print JSON (described in docs/doctor.md)")
    parser.add_argument("--strict", action="store_true", help="exit with 1 for a note as well")
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="CODE", help="leave out findings with this code"
    )
    parser.add_argument("--no-import", action="store_true", help="do not import the project")
    parser.add_argument("--no-server", action="store_true", help="do not start or query the server")


def _demo(commands: Any) -> None:
    text = "write a small application and its suite to a temporary folder, run it and explain it: 20 seconds"
    parser = commands.add_parser("demo", help=text, description=f"{text}. Needs: pip install 'pytest-crucible[demo]'")
    parser.set_defaults(run=demo.run, root=Path())


def _init(commands: Any) -> None:
    text = "set up the project's tests: configuration, requirements, first tests; show a diff before writing"
    parser = _named(commands, "init", init.run, text)
    parser.add_argument("--yes", action="store_true", help="answer every question with yes and the first choice")
    parser.add_argument("--dry-run", action="store_true", help="only show the diff")
    parser.add_argument(
        "--check", action="store_true", help="only show the diff, and exit with 1 if there is something to write"
    )
    parser.add_argument("--no-try", action="store_true", help="do not import the application to try the settings")
    text = "in a project with a suite: convert pytest's settings to native TOML, strict, with one event loop"
    parser.add_argument("--modernize", action="store_true", help=text)


def _named(commands: Any, name: str, run: databases.Command, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.add_argument("--root", type=Path, help="the project's root folder")
    parser.set_defaults(run=run)
    return parser


def _command(commands: Any, name: str, run: databases.Command, text: str) -> argparse.ArgumentParser:
    parser = _named(commands, name, run, text)
    default = Masked(os.environ.get("CRUCIBLE_SERVER") or "embedded")
    here = mask(default).replace("%", "%%")
    parser.add_argument(
        "--server", type=Masked, default=default, help=f"the server, as in crucible_server (default: {here})"
    )
    return parser


def _root() -> Path:
    """Return the root of the project around the current folder.

    Raises:
        UsageError: If a configuration file there cannot be read.
    """
    try:
        return root_of(Path.cwd())
    except PermissionError as error:
        raise UsageError(
            f"{error.filename} cannot be read: {error.strerror}.",
            do="Make it readable, or name the folder with --root.",
        ) from error
