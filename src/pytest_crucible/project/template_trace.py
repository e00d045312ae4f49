"""The trace of a template: short hashes of its sources.

It is kept with the template, so that a later run can say why it builds another one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

# The names of parts that come from compiled models, and not from a file.
STATEMENT = "statement "
ORDER = "statement order of DDL"
# Words for the parts whose names mean nothing to a user.
WORDS = {
    "owner": "another role that owns the schema",
    "server": "another version of PostgreSQL",
    "reset": "another version of pytest-crucible",
    "mark": "another version of pytest-crucible",
    "pytest-crucible": "another version of pytest-crucible",
    "SQLAlchemy": "another version of SQLAlchemy",
    "Alembic": "another version of Alembic",
    "alembic": "another crucible_alembic",
    "configuration": "another configuration of Alembic",
    "extensions": "other crucible_extensions",
    "locale": "another crucible_locale",
    "load": "the module of crucible_load",
    ORDER: "another order of the statements",
}
TEST = r"(^|/)(test_[^/]*|[^/]*_test|conftest)\.py$"
NAMED = 3
DIGITS = 8


class Trace(NamedTuple):
    """The parts of a fingerprint and the project's modules, each with a short hash.

    Attributes:
        parts: The hashes of the template's sources, by name; of a statement, the hash of each line as well.
        modules: The hashes of the project's modules that were loaded then, by file.
        database: The database's name in the application's URLs; empty for the main one.
        run: The run that built it.
    """

    parts: Mapping[str, str]
    modules: Mapping[str, str]
    database: str = ""
    run: str = ""

    @classmethod
    def of_parts(cls, parts: Mapping[str, str], root: Path, *, database: str = "", run: str = "") -> Trace:
        """Return the trace of *parts*, and of the modules of the project at *root* that are loaded now."""
        lined = {**parts}
        for name, text in parts.items():
            if name.startswith(STATEMENT) and name != ORDER:
                lined |= dict(_lines(name, text))
        hashes = {name: _short(text.encode("utf-8", "surrogatepass")) for name, text in lined.items()}
        return cls(hashes, _loaded(root), database, run)

    def text(self) -> str:
        """Return the trace as one line."""
        return json.dumps(self._asdict(), separators=(",", ":"))

    @classmethod
    def of_text(cls, text: str) -> Trace | None:
        """Return the trace that *text* is the `text` of, or None for any other text."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return None

    def since(self, earlier: Trace) -> str:
        """Return the reason why a template was built although the one of *earlier* exists."""
        changed = self._changed(earlier)
        shown = list(dict.fromkeys(map(_shown, changed)))
        names = ", ".join(shown[:NAMED])
        names += f" and {len(shown) - NAMED} more" if len(shown) > NAMED else ""
        if all(name.startswith(STATEMENT) for name in changed) and self._same_modules(earlier):
            return (
                f"template built anew in each run, because no module has changed and yet {names} had another text in"
                " the last run: give it no set, no random value and no present time"
            )
        return f"template built anew, because of {names}"

    def _changed(self, earlier: Trace) -> list[str]:
        """Return the names of the parts that differ: the lines of a changed statement, a new statement as a whole."""
        names = [name for name in {**self.parts, **earlier.parts} if self.parts.get(name) != earlier.parts.get(name)]
        whole = {name for name in names if name not in self.parts or name not in earlier.parts}
        by_line = {name.partition("\n")[0] for name in names if "\n" in name} - whole
        names = [name for name in names if name not in by_line and name.partition("\n")[0] not in whole - {name}]
        return [name for name in names if name != ORDER] or names

    def _same_modules(self, earlier: Trace) -> bool:
        """Return whether both loaded the same modules, with the same texts; tests count only if both loaded them."""
        then, now = earlier.modules, self.modules
        return all(then[file] == now[file] for file in then.keys() & now.keys()) and all(
            re.search(TEST, file) for file in then.keys() ^ now.keys()
        )


def named(statements: list[str]) -> dict[str, str]:
    """Return *statements* by readable names; a name that occurs again gets a number."""
    by_name: dict[str, str] = {}
    for statement in statements:
        name = f"{STATEMENT}{_head(statement)}"
        number = 1
        while (key := name if number == 1 else f"{name} ({number})") in by_name:
            number += 1
        by_name[key] = statement
    return by_name


def _head(text: str) -> str:
    """Return the beginning of *text* up to what may be a value."""
    match = re.match(r"[^(\n']{1,60}", text.strip())
    return match[0].strip() if match else text[:20]


def _lines(name: str, statement: str) -> Iterator[tuple[str, str]]:
    for line in statement.splitlines()[1:]:
        first = line.split(maxsplit=1)[:1]
        if first and first[0] != ")":
            # The words after CONSTRAINT and PRIMARY distinguish such lines.
            yield f"{name}\n{_head(line) if first[0].isupper() else first[0]}", line


def _shown(name: str) -> str:
    if name in WORDS:
        return WORDS[name]
    kind, _, rest = name.partition(" ")
    statement, _, line = (rest if kind in ("statement", "file", "module") else name).partition("\n")
    return f"{statement} ({line})" if line else statement


def _loaded(root: Path) -> dict[str, str]:
    """Return the loaded modules of the project, each with the hash of its file."""
    files = {str(file) for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))}
    # Of the thousand modules of a process most are libraries: a comparison of texts is enough for them.
    inside = [Path(file) for file in sorted(files) if file.startswith(f"{root}{os.sep}") and file.endswith(".py")]
    return {
        path.relative_to(root).as_posix(): _short(path.read_bytes())
        for path in inside
        if "site-packages" not in path.parts and path.is_file()
    }


def _short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:DIGITS]
