"""Statements that change the state of a session, recognised by their text.

Statements within functions and procedures are not recognised. A ``DO`` block counts as a change, since it may do
anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache, lru_cache

from .session_state import UNKNOWN, End, Lock, StateChange, Step

_NAME = r'(?:[\w$]+|"(?:[^"]|"")+")(?:\.(?:[\w$]+|"(?:[^"]|"")+"))*'
_QUOTED_OR_COMMENT = re.compile(r"('(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")|--[^\n]*|/\*.*?\*/", re.DOTALL)
_SET_CONFIG = re.compile(r"\bset_config\s*\((.*)", re.IGNORECASE | re.DOTALL)
_ARGUMENT = re.compile(r"'(?:[^']|'')*'|[(),]|[^'(),]+")


_STATEMENT = re.compile(r"\s*(\w+)(.*)", re.DOTALL)
# Compiled on first use, since few statements need them. A space stands for any white space.
_SET = (
    r"\s*(?:session (?!authorization|characteristics))?"
    r"(session authorization|session characteristics|time zone|xml option|NAME)\s*(?:(?:to\b|=)\s*)?(.*)"
)
_RESET = r"\s*(session authorization|time zone|NAME)"
_HOLD = r"\s*(NAME)(?: .*)? cursor with hold\b"
_FIRST = r"\s*(?:prepare )?(\*|NAME)"

# The special forms of SET, and the settings that they change.
_SETTINGS = {
    "time zone": "timezone",
    "schema": "search_path",
    "names": "client_encoding",
    "session authorization": "session_authorization",
}
# RESET ALL does not change these.
_IDENTITY = ("role", "session_authorization")
_NOT_OF_THE_SESSION = ("local", "transaction", "constraints")
_DEFAULTS = ("default", "none", "local")

# The result of a short text is cached; a long text is not kept.
_SHORT = 4096


def steps_in(text: str) -> tuple[Step, ...]:
    """Return the steps by which *text*, one statement or several, changes the state of its session."""
    return _of_short(text) if len(text) < _SHORT else _of(text)


def _of(text: str) -> tuple[Step, ...]:
    lowered = text.lower()
    locks = (Lock.ADVISORY,) if "advisory_lock" in lowered else ()  # not advisory_xact_lock
    if not _BEGINS.match(text) and ";" not in text.rstrip(" ;\n") and "set_config" not in lowered:
        return locks  # nearly always none
    if "--" in text or "/*" in text:
        text = _QUOTED_OR_COMMENT.sub(lambda match: match[1] or " ", text)
    first, *others = text.split(";")
    # A semicolon may stand in a literal, so only changes that add to the state count after the first one: a wrong
    # addition costs one connection, a wrong removal would hide an altered state.
    added = [step for other in others for step in _of_one(other) if isinstance(step, StateChange) and step.value]
    return (*locks, *_of_one(first), *added, *_of_calls(text))


_of_short = lru_cache(maxsize=1024)(_of)


def _of_one(text: str) -> Iterator[Step]:
    statement = _STATEMENT.match(text)
    read = statement and _READERS.get(statement[1].upper())
    if statement and read:
        yield from read(statement[2])


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace(" ", r"\s+").replace("NAME", _NAME), re.IGNORECASE | re.DOTALL)


# -- settings and roles ----------------------------------------------------------------------------------------------


def _set(rest: str) -> Iterator[Step]:
    match = _compiled(_SET).match(rest)
    if match and (name := _setting(match[1])) not in _NOT_OF_THE_SESSION:
        yield from _setting_changes(name, _value(match[2]))


def _reset(rest: str) -> Iterator[Step]:
    match = _compiled(_RESET).match(rest)
    if match:
        yield from [StateChange("SET *")] if match[1].lower() == "all" else _setting_changes(_setting(match[1]), None)


def _setting(text: str) -> str:
    name = " ".join(text.replace('"', "").lower().split())
    return _SETTINGS.get(name, name)


def _setting_changes(name: str, value: str | None) -> Iterator[Step]:
    if name == "session_authorization":
        yield StateChange("AS role")
    yield StateChange(f"{'AS' if name in _IDENTITY else 'SET'} {name}", value)


def _value(text: str) -> str | None:
    if text.strip().lower() in _DEFAULTS:
        return None
    # A placeholder, which psycopg2 and psycopg's ClientCursor fill in.
    return UNKNOWN if "%" in text or "$" in text else text.strip() or UNKNOWN


def _of_calls(text: str) -> Iterator[Step]:
    """Yield the changes by ``set_config()``, any of whose arguments may be a parameter."""
    call = _SET_CONFIG.search(text)
    while call:
        name, value, local = (*_arguments(call[1]), "", "", "")[:3]
        if not re.fullmatch(r"'?(t|true|on|yes|1)'?(::\w+)?", local, re.IGNORECASE):
            literal = re.fullmatch(r"'((?:[^']|'')*)'", name)
            known = value if re.fullmatch(r"'(?:[^']|'')*'", value) else UNKNOWN
            key = f"SET {literal[1].lower()}" if literal else "SET ?"
            yield StateChange(key, known, unless_true=bool(re.match(r"[%$:]", local)))
        call = _SET_CONFIG.search(call[1])


def _arguments(text: str) -> list[str]:
    """Return the arguments of a call, without their names; *text* follows its opening parenthesis."""
    arguments, depth = [""], 1
    for token in _ARGUMENT.findall(text):
        depth += {"(": 1, ")": -1}.get(token, 0)
        if not depth:
            break
        if token == "," and depth == 1:  # noqa: S105 - a token of SQL
            arguments.append("")
        else:
            arguments[-1] += token
    return [re.sub(r"^\s*\w+\s*(?:=>|:=)", "", argument).strip() for argument in arguments]


# -- everything else -------------------------------------------------------------------------------------------------


def _discard(rest: str) -> Iterator[Step]:
    if re.match(r"\s*all\b", rest, re.IGNORECASE):
        yield StateChange("*")


def _keyed(kind: str, value: str | None, *, at_once: bool = False) -> Callable[[str], Iterator[Step]]:
    """Return a reader of statements that name one object of a *kind*, or all of them."""

    def read(rest: str) -> Iterator[Step]:
        match = _compiled(_FIRST).match(rest)
        if match:
            every = value is None and match[1].lower() in ("*", "all")
            yield StateChange(f"{kind} {'*' if every else _folded(match[1])}", value, at_once)

    return read


def _folded(name: str) -> str:
    return name[1:-1] if name.startswith('"') else name.lower()


_prepare_named = _keyed("PREPARE", "on", at_once=True)


def _prepare(rest: str) -> Iterator[Step]:
    if re.match(r"\s*transaction\b", rest, re.IGNORECASE):
        yield End.COMMIT  # of settings; what it prepares is rows
    else:
        yield from _prepare_named(rest)


def _declare(rest: str) -> Iterator[Step]:
    match = _compiled(_HOLD).match(rest)
    if match:
        yield StateChange(f"CURSOR {_folded(match[1])}", UNKNOWN)


def _block(rest: str) -> Iterator[Step]:
    yield StateChange("DO", UNKNOWN)


def _commit(rest: str) -> Iterator[Step]:
    if not re.match(r"\s*prepared\b", rest, re.IGNORECASE):
        yield End.COMMIT


def _rollback(rest: str) -> Iterator[Step]:
    if re.match(r"(\s*(work|transaction)\b)?\s*to\b", rest, re.IGNORECASE):
        yield End.SAVEPOINT
    elif not re.match(r"\s*prepared\b", rest, re.IGNORECASE):
        yield End.ROLLBACK


_READERS: dict[str, Callable[[str], Iterator[Step]]] = {
    "SET": _set,
    "RESET": _reset,
    "DISCARD": _discard,
    "LISTEN": _keyed("LISTEN", "on"),
    "UNLISTEN": _keyed("LISTEN", None),
    "PREPARE": _prepare,
    "DEALLOCATE": _keyed("PREPARE", None, at_once=True),
    "DECLARE": _declare,
    "CLOSE": _keyed("CURSOR", None),
    "DO": _block,
    "COMMIT": _commit,
    "END": _commit,
    "ROLLBACK": _rollback,
    "ABORT": _rollback,
}
_BEGINS = re.compile(rf"\s*(?:--|/\*|(?:{'|'.join(_READERS)})\b)", re.IGNORECASE)
