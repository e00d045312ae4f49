"""pytest's configuration in native TOML: existing options keep their place, missing ones are added."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from ..project.pytest_configuration import Configuration
from ..project.survey import Finds
from . import ini_file as ini
from . import suite
from . import toml_file as toml
from .choices import Choices, is_on
from .draft import Draft
from .requirements import has_asyncio

MINIMUM = "9.0"
STRICT_FLAGS = {"--strict", "--strict-markers", "--strict-config"}
STRICT_OPTIONS = ("strict_config", "strict_markers", "strict_xfail", "strict_parametrization_ids", "xfail_strict")
MARKERS = {"slow": "slow: takes seconds", "integration": "integration: needs the database"}
COMMENTS = {
    "asyncio_default_fixture_loop_scope": "One event loop for all tests and fixtures: a connection belongs to the loop"
    " that opened it,\nand the application's pool keeps its connections from test to test.",
    "crucible_app": "\nA real PostgreSQL for every test",
}
ORDER = ("minversion", "testpaths", "pythonpath", "addopts", "strict")


def add_options(draft: Draft, finds: Finds, choices: Choices) -> None:
    """Put Crucible's options into *draft* where pytest reads its own, and change none of these."""
    found = finds.configuration
    wanted = {**_needed_mode(finds, choices), **choices.options(finds)}
    options = {key: value for key, value in wanted.items() if key not in found.values}
    if not options:
        return
    file, table = (found.file, found.table) if found.file else _place(finds.project.root, found)
    text = draft.read(file) or ""
    if found.kind == "ini" and file.suffix != ".toml":
        draft.put(file, ini.with_values(text, table, options))
    else:
        draft.put(file, toml.change(text, table, options, {} if is_on(finds) else COMMENTS))


def _needed_mode(finds: Finds, choices: Choices) -> dict[str, str]:
    """Return pytest-asyncio's mode for a suite whose asynchronous tests would not run without it."""
    if choices.runner != "asyncio" or is_on(finds) or not suite.relies_on_auto_mode(finds):
        return {}
    return {"asyncio_mode": "auto"}


def configure(draft: Draft, finds: Finds, choices: Choices, extra: dict[str, Any]) -> list[str]:
    """Put the configuration into *draft*, and return notes on it for the user.

    Args:
        draft: The files.
        finds: The project as it was read.
        choices: The choices for the project.
        extra: Options of Crucible beside those of *choices*.
    """
    found = finds.configuration
    old, unknown = dict(found.values), list[str]()
    if found.kind == "ini" and found.file is not None:
        old, unknown = ini.native(found.file, found.values)
    wanted = _wanted(finds, choices, old) | {key: value for key, value in extra.items() if key not in old}
    file, table = _place(finds.project.root, found)
    text = _moved(draft, found, file, table, wanted)
    text = toml.change(text, table, wanted, _comments(draft, found, wanted))
    written = toml.read(text, table)
    covered = [key for key in STRICT_OPTIONS if written.get(key) is True]
    draft.put(file, toml.drop(text, table, covered) if covered and wanted["strict"] else text)
    return list(_notes(unknown, found, finds.project.root))


def _place(root: Path, found: Configuration) -> tuple[Path, str]:
    """Return the file and the table that native TOML is written to."""
    if found.kind == "toml" and found.file is not None:
        return found.file, found.table
    pyproject = root / "pyproject.toml"
    # pytest prefers a pytest.ini to pyproject.toml, even without a section of pytest.
    stays = (
        found.file is not None and found.file.name.endswith("pytest.ini") and ini.has_others(found.file, found.table)
    )
    return (pyproject, "tool.pytest") if pyproject.is_file() and not stays else (root / "pytest.toml", "pytest")


def _moved(draft: Draft, found: Configuration, file: Path, table: str, wanted: dict[str, Any]) -> str:
    """Return the text of *file* without the options in ini form, or with them as native TOML."""
    text = draft.read(file) or ""
    if found.kind != "ini" or found.file is None:
        return text
    if found.file == file:
        return toml.rename(text, table, "ini_options")
    draft.put(found.file, ini.without(draft.read(found.file) or "", found.table))
    return text


def _comments(draft: Draft, found: Configuration, wanted: dict[str, Any]) -> dict[str, str]:
    if found.kind != "ini" or found.file is None or found.file.suffix == ".toml":
        return COMMENTS
    return COMMENTS | ini.comments(found.file.read_text("utf-8"), found.table)


def _wanted(finds: Finds, choices: Choices, old: dict[str, Any]) -> dict[str, Any]:
    """Return every option of the table: the usual first ones, then old ones in their order, then new ones."""
    flags = [word for word in old.get("addopts", []) if word not in STRICT_FLAGS]
    new: dict[str, Any] = {
        "minversion": _minversion(old.get("minversion")),
        "testpaths": old.get("testpaths") or suite.paths(finds),
        "pythonpath": _pythonpath(finds, old.get("pythonpath", [])),
        "addopts": [*flags, *_reported(flags), *_import_mode(flags)],
        "strict": old.get("strict", True),
    }
    new = {key: value for key, value in {**{key: new[key] for key in ORDER}, **old, **new}.items() if value != []}
    if choices.runner != "anyio" and has_asyncio(finds, choices):
        new |= {
            "asyncio_mode": old.get("asyncio_mode", "auto"),
            "asyncio_default_fixture_loop_scope": "session",
            "asyncio_default_test_loop_scope": "session",
        }
    if markers := _markers(finds, old.get("markers", []), is_new=not choices.has_suite):
        new["markers"] = markers
    options = {key: value for key, value in choices.options(finds).items() if key not in old}
    return {key: value for key, value in new.items() if key not in STRICT_OPTIONS or value is not True} | options


def _minversion(old: object) -> str:
    try:
        return str(old) if old is not None and Version(str(old)) >= Version(MINIMUM) else MINIMUM
    except InvalidVersion:
        return MINIMUM


def _reported(flags: list[str]) -> list[str]:
    return [] if any(flag.startswith("-r") and not flag.startswith("--") for flag in flags) else ["-ra"]


def _import_mode(flags: list[str]) -> list[str]:
    return [] if any(flag.startswith("--import-mode") for flag in flags) else ["--import-mode=importlib"]


def _pythonpath(finds: Finds, old: list[str]) -> list[str]:
    """Return `sys.path` entries for the suite: ``tests.fixtures`` needs the root, which importlib mode does not add.

    Old entries stay in front: a module of the root may have the same name.
    """
    return list(dict.fromkeys([*suite.beside_tests(finds), *old, "."]))


def _markers(finds: Finds, old: list[str], *, is_new: bool) -> list[str]:
    """Return the markers that are registered and those that the suite uses; for a new suite, the usual ones."""
    known = {line.partition(":")[0].partition("(")[0].strip() for line in old}
    used = [name for name in suite.marks(finds) if name not in known]
    first = [f"{name}: used in this suite" for name in used if name not in MARKERS]
    return [*old, *first, *(line for name, line in MARKERS.items() if name in used or (is_new and name not in known))]


def _notes(unknown: list[str], found: Configuration, root: Path) -> Iterator[str]:
    for key in unknown:
        yield (
            f"No plugin that is installed here registers {key}, and pytest stops at it with strict = true: install the "
            "plugin, or remove the line."
        )
    for file in found.ignored:
        yield f"{file.relative_to(root)} configures pytest too, but pytest does not read it: remove it."
