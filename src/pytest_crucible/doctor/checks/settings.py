"""Checks of Crucible's settings, and of pytest's configuration around them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...project.pytest_configuration import Configuration
from ...project.variables import needed, required
from ...recipes.schema.entries import all_scripts
from ...recipes.sources import refuse_two_sources
from ...server.embedded.missing import missing_extension
from ...settings import ASYNC_DRIVERS, OPTIONS, SYNC_DRIVERS, Settings, resolve
from ..case import Case
from ..findings import Finding

EXTENSION = re.compile(r"create\s+extension\s+(?:if\s+not\s+exists\s+)?[\"']?(?!if\b)([a-z][\w-]*)", re.IGNORECASE)
PREFIX = "crucible_"


def settings_of(root: Path, configuration: Configuration, environ: Mapping[str, str]) -> Settings:
    """Return the settings without invalid ones: each of these is a finding."""
    file = configuration.values
    right = {option.name: file.get(option.name) for option in OPTIONS if not _wrong(root, option.name, file, {})}
    env = {option.env: environ.get(option.env, "") for option in OPTIONS if not _wrong(root, option.name, {}, environ)}
    return resolve(root, flags={}, environ=env, file=right)


def _wrong(root: Path, name: str, file: Mapping[str, Any], environ: Mapping[str, str]) -> UsageError | None:
    env = name.upper()
    try:
        resolve(root, flags={}, environ={env: environ.get(env, "")}, file={name: file.get(name)})
    except UsageError as error:
        return error
    return None


def setting_wrong(case: Case) -> Iterator[Finding]:
    """Yield each invalid value of an option, and each name that is no option."""
    values = case.configuration.values
    for option in OPTIONS:
        if error := _wrong(case.root, option.name, values, {}):
            place = case.configuration_file, case.line_of(option.name)
            yield Finding(error.found, error.why, error.do, *place)
        if error := _wrong(case.root, option.name, {}, case.environ):
            yield Finding(error.found, error.why, error.do)
    known = [option.name for option in OPTIONS]
    for name in values:
        if name.startswith(PREFIX) and name not in known:
            close = get_close_matches(name, known, n=1)
            do = f"Did you mean {close[0]}?" if close else "See docs/options.md for the list of options."
            line = case.line_of(name)
            yield Finding(
                f"There is no option {name}.",
                "pytest ignores it, or stops in strict mode.",
                do,
                case.configuration_file,
                line,
            )


def path_missing(case: Case) -> Iterator[Finding]:
    """Yield each file or folder that a setting names and that does not exist."""
    settings = case.settings
    named = [("crucible_no_database", entry) for entry in settings.no_database]
    named += [("crucible_alembic", settings.alembic)] if settings.alembic else []
    for option, entry in named:
        if not (case.root / entry).exists():
            yield Finding(
                f"{option}: there is no {entry} in {case.root}.",
                "Paths are relative to the folder of the configuration file.",
                "Correct the path, or remove the entry.",
                case.configuration_file,
                case.line_of(option),
            )


def schema_wrong(case: Case) -> Iterator[Finding]:
    """Yield each entry of ``crucible_schema`` that matches no file, and migrations that are named beside it."""
    for shape in case.settings.by_database().values():
        for check in (refuse_two_sources, all_scripts):
            try:
                check(shape)
            except UsageError as error:
                option = shape.option_of(shape.schema[0])
                yield Finding(error.found, error.why, error.do, case.configuration_file, case.line_of(option))


def migrations_missing(case: Case) -> Iterator[Finding]:
    """Check that the configuration in ``crucible_alembic`` leads to Alembic's scripts."""
    config = case.root / (case.settings.alembic or "")
    if not config.is_file():
        return
    found = [one for one in case.finds.migrations if one.config.resolve() == config.resolve()]
    if found and not any(one.env.is_file() for one in found):
        yield Finding(
            f"There is no env.py in {case.at(found[0].folder)}.",
            "script_location names the folder of Alembic's scripts, relative to the folder that pytest runs in.",
            "Correct script_location; %(here)s stands for the folder of the configuration.",
            case.at(config),
        )


def off(case: Case) -> Iterator[Finding]:
    """Check that a schema is configured: without one, Crucible does nothing."""
    if not case.settings.on:
        yield Finding(
            "Crucible is not configured in this project: none of crucible_metadata, crucible_alembic, crucible_schema "
            "and crucible_databases is set.",
            "So it does nothing, and prints nothing.",
            "Run `crucible init`, which writes the configuration, or see README.md.",
            case.configuration_file,
        )


def several(case: Case) -> Iterator[Finding]:
    """Yield each configuration that pytest does not read because another one comes first."""
    for path in case.configuration.ignored:
        yield Finding(
            f"pytest reads {case.configuration_file}, and not the configuration in {case.at(path)}.",
            "It takes the first file that configures it and silently ignores the others.",
            "Keep one of them.",
            case.at(path),
        )


def unreadable(case: Case) -> Iterator[Finding]:
    """Yield each module that cannot be parsed, and whose contents the checks do not see."""
    for module in case.project.modules:
        if module.error:
            yield Finding(
                f"Python {case.machine.python} cannot parse it: {module.error}",
                "No check sees its contents.",
                "Correct it, or run crucible with the Python version that it is written for. If it is no module, move "
                "it to a folder whose name begins with a dot.",
                case.where(module),
                module.error_line,
                severity="warning" if module.is_test else "note",
            )


def extension_missing(case: Case) -> Iterator[Finding]:
    """Yield each extension that the embedded server lacks."""
    if case.settings.server != "embedded":
        return
    seen = set()
    for name, file, line in _extensions(case):
        if name not in seen and (error := missing_extension(name)):
            seen.add(name)
            yield Finding(error.found, error.why, error.do, file, line)


def _extensions(case: Case) -> Iterator[tuple[str, str, int]]:
    for name in case.settings.extensions:
        yield name, case.configuration_file, case.line_of("crucible_extensions")
    versions = {path for one in case.finds.migrations for path in one.versions}
    for module in case.project.modules:
        if module.path in versions or not module.is_test:
            for number, text in enumerate(module.source.splitlines(), 1):
                if (found := EXTENSION.search(text)) and not text.lstrip().startswith("#"):
                    yield found[1].lower(), case.where(module), number


def import_fails(case: Case) -> Iterator[Finding]:
    """Yield each object that a setting names and that cannot be imported."""
    if failure := case.inspection.failure:
        yield Finding(failure.found, failure.why, failure.do, case.configuration_file)
    for problem in case.inspection.problems:
        place = case.configuration_file, case.line_of(problem["option"])
        if problem["severity"]:
            yield Finding(problem["found"], problem["why"], problem["do"], *place, severity="note")
        else:
            yield Finding(problem["found"], problem["why"], _variable_to_set(case, problem) or problem["do"], *place)


def _variable_to_set(case: Case, problem: Mapping[str, str]) -> str:
    """Return the remedy if an import lacks the variable of a database's URL; else an empty text."""
    said = re.findall(r"\w+", f"{problem['found']} {problem['why']}".lower())
    named = [variable.name for variable in case.settings.variables()]
    for engine in case.finds.engines:
        variables = filter(None, (needed(case.project, engine), *required(case.project)))
        name = next((name for name in variables if name.lower() in said and name not in named), None)
        if name and not engine.module.is_test and not engine.module.is_aside:
            drivers = ASYNC_DRIVERS if engine.is_async else SYNC_DRIVERS
            driver = next((one for one in drivers if case.machine.has(one, f"{one}-binary")), drivers[0])
            host = "@localhost" if any(module.mentions("PostgresDsn") for module in case.project.code) else ""
            return f'Let each run set the variable: crucible_url_env = ["{name}=postgresql+{driver}{host}"].'
    return ""
