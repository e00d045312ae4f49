"""Options of pytest in ini form: their values as pytest reads them, and the removal of their section."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import UsageError

# Options that can keep pytest from starting; they are overridden.
GATES = {"addopts", "required_plugins", "minversion"}
# pytest returns absolute paths. An option that no plugin registers, or whose value has a wrong type, has no value.
PROBE = """
import json, os, sys
import pytest

answer, root, file, *names = sys.argv[1:]

class Probe:
    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self, early_config):
        values = {}
        for name in names:
            try:
                values[name] = early_config.getini(name)
            except (KeyError, TypeError, ValueError):
                pass
        relative = lambda path: os.path.relpath(path, os.path.dirname(file))
        with open(answer, "w") as stream:
            json.dump(values, stream, default=relative)
        os._exit(0)

gates = [word for name in ("addopts", "required_plugins", "minversion") for word in ("-o", name + "=")]
sys.exit(pytest.main(["-c", file, "--rootdir", root, *gates], plugins=[Probe()]))
"""


def native(file: Path, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the values of pytest's section in *file* as native TOML, and the names that pytest does not know.

    pytest itself reads the file, with the plugins that are installed.

    Raises:
        UsageError: If pytest does not start, or its command line in the file cannot be read.
    """
    names = [name for name in values if name not in GATES]
    found = _asked(file, names) if names else {}
    gates = {name: _split(name, values[name]) for name in GATES & values.keys()}
    unknown = [name for name in names if name not in found]
    as_written = {name: _lines(values[name]) for name in unknown}
    every = {**found, **gates, **as_written}
    return {name: every[name] for name in values}, unknown


def _asked(file: Path, names: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as empty:  # so that the project's modules do not hide the library's
        answer = Path(empty) / "values.json"
        done = subprocess.run(
            [sys.executable, "-c", PROBE, answer, file.parent, file, *names],
            cwd=empty,
            env={**os.environ, "PYTEST_ADDOPTS": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.exists():
            return dict(json.loads(answer.read_text("utf-8")))
    raise UsageError(
        f"pytest does not start with {file.name}, whose values `crucible init` needs.",
        why=(done.stderr or done.stdout).strip()[-500:],
        do="Make `python -m pytest --collect-only` succeed, and run `crucible init` again.",
    )


def _split(name: str, value: Any) -> Any:
    if isinstance(value, list) or name == "minversion":
        return value
    try:
        return shlex.split(str(value))
    except ValueError as error:
        raise UsageError(
            f"{name} = {value} cannot be read: {error}.",
            do="Correct the line in pytest's configuration, and run `crucible init` again.",
        ) from error


def _lines(value: Any) -> str | list[str]:
    """Return the value of an option of unknown type: unchanged, or several lines as several strings."""
    lines = value if isinstance(value, list) else str(value).strip().split("\n")
    return [str(line).strip() for line in lines] if isinstance(value, list) or len(lines) > 1 else lines[0]


def comments(text: str, section: str) -> dict[str, str]:
    """Return the comments above each key of a section, or between the lines of its value, without their marks."""
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


def with_values(text: str, section: str, values: Mapping[str, str | list[str]]) -> str:
    """Return *text* with *values* at the end of a section; each string of a list has a line."""
    lines = [
        f"{key} = {value}" if isinstance(value, str) else "\n    ".join([f"{key} =", *value])
        for key, value in values.items()
    ]
    before, inside, after = _section(text, section)
    header = text[len(before) : len(text) - len(inside) - len(after)].strip() or f"[{section}]"
    block = "\n".join([header, *filter(None, [inside.rstrip()]), *lines])
    return "\n\n".join(filter(None, [before.rstrip("\n"), block, after.strip("\n")])) + "\n"


def without(text: str, section: str) -> str | None:
    """Return *text* without a section; None if only comments are left."""
    before, _, after = _section(text, section)
    if all(not line.strip() or line.lstrip().startswith(("#", ";")) for line in (before + after).splitlines()):
        return None
    left = before.rstrip("\n") + ("\n\n" if before.strip() and after.strip() else "\n") + after.lstrip("\n")
    return left.strip("\n") + "\n"


def _section(text: str, section: str) -> tuple[str, str, str]:
    """Return the text before a section's header, in the section, and after it."""
    header = re.search(rf"(?m)^\[{re.escape(section)}\][^\n]*\n?", text)
    if header is None:
        return text, "", ""
    following = re.search(r"(?m)^\[", text[header.end() :])
    end = header.end() + following.start() if following else len(text)
    return text[: header.start()], text[header.end() : end], text[end:]


def has_others(file: Path, section: str) -> bool:
    """Return whether a file has more than this section."""
    return without(file.read_text("utf-8"), section) is not None
