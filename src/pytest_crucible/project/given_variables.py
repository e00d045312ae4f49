"""The environment variables that a file of the repository gives a value: an application needs no other for them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ..settings.files import toml
from .modules import Module, Project
from .pytest_configuration import Configuration
from .syntax import assigned, calls, constant, keyword, last

# A URL of another dialect is no value that an engine can be redirected from.
VALUE = r"""(\w+)[ \t]*=[ \t]*(?!["']?(?:sqlite|mysql|mariadb|oracle|mssql)[+:])\S"""
LINE = re.compile(rf"^[ \t]*(?:export\s+)?{VALUE}", re.MULTILINE)
ENTRY = re.compile(rf"^[ \t]*(?:[A-Z]:)*{VALUE}", re.MULTILINE)  # of pytest-env: R:D:NAME=value
NAME = re.compile(r"[\w./-]{1,100}")
# Functions that read a file into the environment or into settings: ``.env`` without an argument.
READERS = ("load_dotenv", "read_env", "Config")


def given_variables(project: Project, configuration: Configuration) -> set[str]:
    """Return the variables, in upper case, that env files and pytest-env's configuration give a value.

    An env file counts if the code or pytest-dotenv's configuration names it, and git does not ignore it: elsewhere, it
    is not there.
    """
    named = dict.fromkeys([*_named(project), *configuration.words("env_files")])
    places = [folder / name for name in named for folder in (project.root, *_folders(project))]
    files = [path for path in dict.fromkeys(places) if path.is_file() and not _is_ignored(path)]
    found = [name for path in files for name in LINE.findall(path.read_text("utf-8", "replace"))]
    return {name.upper() for name in (*found, *_of_pytest_env(project.root, configuration))}


def _named(project: Project) -> Iterator[str]:
    """Yield the names of the env files that the code reads."""
    for module in project.modules:
        if module.mentions("env_file", *READERS):
            yield from _in_module(module)


def _in_module(module: Module) -> Iterator[str]:
    values: list[ast.expr | None] = []
    for call in calls(module.tree):
        values.append(keyword(call, "env_file"))
        if last(call) in READERS and not call.args and not call.keywords:
            yield ".env"
        elif last(call) in READERS:
            values += [*call.args, keyword(call, "dotenv_path")]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.stmt) and (pair := assigned(node)) and pair[0] == "env_file":
            values.append(pair[1])
    texts = [constant(node) for value in values if value is not None for node in ast.walk(value)]
    yield from (text for text in texts if isinstance(text, str) and NAME.fullmatch(text))


def _folders(project: Project) -> Iterator[Path]:
    """Yield the folders of the modules that name an env file: some build its path from their own."""
    for module in project.code:
        if module.mentions("env_file", *READERS):
            yield module.path.parent


def _is_ignored(path: Path) -> bool:
    """Return whether a ``.gitignore`` beside or above *path*, up to the repository's, has a line for it."""
    for folder in path.resolve().parents:
        file = folder / ".gitignore"
        lines = file.read_text("utf-8", "replace").splitlines() if file.is_file() else []
        patterns = [line.strip().rpartition("/")[2] for line in lines if not line.startswith(("#", "!"))]
        if any(fnmatch(path.name, pattern) for pattern in patterns if pattern):
            return True
        if (folder / ".git").exists():
            break
    return False


def _of_pytest_env(root: Path, configuration: Configuration) -> Iterator[str]:
    entries = configuration.values.get("env", [])
    yield from ENTRY.findall("\n".join(map(str, entries)) if isinstance(entries, list) else str(entries))
    for file, keys in ((root / "pyproject.toml", ("tool", "pytest_env")), (root / "pytest.toml", ("pytest_env",))):
        found: dict[str, Any] = toml(file) if file.is_file() else {}
        for key in keys:
            found = found.get(key, {})
        yield from found
