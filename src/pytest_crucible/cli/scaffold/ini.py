"""Options of pytest in ini form: their values with the types they are registered with, and their section removed."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ...errors import UsageError

LISTS = {"args", "paths", "pathlist", "linelist"}
TRUE = {"1", "y", "yes", "t", "true", "on"}
OPTION = re.compile(r"^  (\w+) \((.+?)\):(.*(?:\n   .*)*)", re.MULTILINE)
ALIAS = re.compile(r"\(alias:\s+(\w+)\)")


@cache
def registered() -> dict[str, str]:
    """The type of each option that pytest and the installed plugins register: ``{"addopts": "args", …}``.

    Asked of ``pytest --help``, where plugins' options are listed like pytest's own.

    Raises:
        UsageError: If pytest does not start.
    """
    for environment in ({}, {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}):
        with tempfile.TemporaryDirectory() as empty:
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "--help", "--rootdir=."],
                cwd=empty,
                env={**os.environ, "COLUMNS": "200", "PYTEST_ADDOPTS": "", **environment},
                capture_output=True,
                text=True,
                check=False,
            )
        _, heading, options = done.stdout.partition("configuration options in the first")
        if heading:
            found = OPTION.findall(options)
            return {key: kind for name, kind, text in found for key in (name, *ALIAS.findall(text))}
    raise UsageError(
        "`pytest --help` fails, which says of what type each option is.",
        why=(done.stderr or done.stdout).strip()[-500:],
        do="Make `python -m pytest --help` run, and run `crucible init` again.",
    )


def native(values: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, Any]:
    """The values of an ini section, or of ``[tool.pytest.ini_options]``, as native TOML has them.

    Raises:
        UsageError: If one cannot be read; pytest would not start either.
    """
    return {key: _read(key, value, types.get(key)) for key, value in values.items()}


def _read(key: str, value: Any, kind: str | None) -> Any:
    try:
        return _native(value, kind)
    except ValueError as error:
        raise UsageError(
            f"{key} = {value} cannot be read: {error}.",
            why=f"pytest takes {key} as {kind}.",
            do="Correct the line in pytest's configuration, and run `crucible init` again.",
        ) from error


def _native(value: Any, kind: str | None) -> Any:
    text = "\n".join(map(str, value)) if isinstance(value, list) else str(value).strip()
    if kind in LISTS:
        return _words(value, text, kind)
    if kind == "bool":
        return text.lower() in TRUE
    if kind in ("int", "float"):
        return int(text) if kind == "int" else float(text)
    if kind is None:  # nobody registers it: as it is, and several lines as several strings
        lines = text.split("\n")
        return [line.strip() for line in lines] if isinstance(value, list) or len(lines) > 1 else text
    return text


def _words(value: Any, text: str, kind: str | None) -> list[str]:
    if isinstance(value, list):
        return [str(word) for word in value]
    return [line.strip() for line in text.split("\n") if line.strip()] if kind == "linelist" else shlex.split(text)


def comments(text: str, section: str) -> dict[str, str]:
    """The comments that stand above each key of a section, or between the lines of its value, without their marks."""
    found: dict[str, list[str]] = {}
    waiting: list[str] = []
    key = None
    for line in _section(text, section)[1].splitlines():
        if line.lstrip().startswith(("#", ";")):
            place = found[key] if key and line[0].isspace() else waiting
            place.append(line.strip().lstrip("#;").strip())
        elif line.strip() and not line[0].isspace():
            key = re.split(r"[=:]", line, maxsplit=1)[0].strip()
            found[key], waiting = waiting, []
    return {key: "\n".join(lines) for key, lines in found.items() if lines}


def without(text: str, section: str) -> str | None:
    """*text* without a section; None where no section is left, and nothing but comments."""
    before, _, after = _section(text, section)
    if all(not line.strip() or line.lstrip().startswith(("#", ";")) for line in (before + after).splitlines()):
        return None
    left = before.rstrip("\n") + ("\n\n" if before.strip() and after.strip() else "\n") + after.lstrip("\n")
    return left.strip("\n") + "\n"


def _section(text: str, section: str) -> tuple[str, str, str]:
    """What stands before a section's header, in the section, and after it."""
    header = re.search(rf"(?m)^\[{re.escape(section)}\][^\n]*\n?", text)
    if header is None:
        return text, "", ""
    following = re.search(r"(?m)^\[", text[header.end() :])
    end = header.end() + following.start() if following else len(text)
    return text[: header.start()], text[header.end() : end], text[end:]


def has_others(file: Path, section: str) -> bool:
    """Whether a file has more than this section."""
    return without(file.read_text("utf-8"), section) is not None
