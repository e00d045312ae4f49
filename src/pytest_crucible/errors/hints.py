"""Hints that Crucible adds to an error that the application, a driver or PostgreSQL raised in a test.

An error of Crucible says what to do. An error of PostgreSQL cannot: "permission denied to create database" does not
mention that Crucible chose the role. An `Explain` function examines such an error and returns the hints on it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from typing import NamedTuple

Explain = Callable[[BaseException], Iterable[str]]


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield *error*, the driver's error in it, its causes, and the errors of a group, each once."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, BaseException) or any(part is known for known in seen):
            continue
        seen.append(part)
        yield part
        group = getattr(part, "exceptions", ())
        waiting += reversed(group if isinstance(group, tuple) else ())
        waiting += [None if part.__suppress_context__ else part.__context__, part.__cause__, vars(part).get("orig")]


class Refusal(NamedTuple):
    """A refusal by PostgreSQL, as one of the drivers reports it.

    Attributes:
        state: The SQLSTATE (PostgreSQL manual, appendix A).
        text: PostgreSQL's message.
        statement: The statement, where the error came through SQLAlchemy.
        error: The exception that holds all this: SQLAlchemy's, or the driver's own.
    """

    state: str
    text: str
    statement: str | None
    error: BaseException


def refusals(error: BaseException | None) -> Iterator[Refusal]:
    """Yield PostgreSQL's refusals in *error* and its causes, each once, with its statement if known."""
    seen: list[BaseException] = []
    for part in chain(error):
        driver = _of_driver(part)
        state = sqlstate(driver)
        if state is None or any(driver is known for known in seen):
            continue
        seen.append(driver)
        statement = vars(part).get("statement")
        yield Refusal(state, str(driver), statement if isinstance(statement, str) else None, part)


def _of_driver(error: BaseException) -> BaseException:
    """Return the driver's exception that *error* wraps, if SQLAlchemy or its adapter for asyncpg raised it."""
    orig: BaseException = vars(error).get("orig") or error
    cause = orig.__cause__
    return cause if cause is not None and sqlstate(orig) is not None and sqlstate(cause) is not None else orig


def sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE that a driver's *error* has: ``sqlstate``, or ``pgcode`` for psycopg2; None without one."""
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return state if isinstance(state, str) else None


class Hints:
    """The hints on errors of one run.

    Args:
        explanations: Returns the functions to call, in this order; called at the first error, since most runs meet
            none. Each function gets the error as pytest reports it.
    """

    def __init__(self, explanations: Callable[[], list[Explain]]) -> None:
        self._explanations = explanations

    @cached_property
    def explain(self) -> list[Explain]:
        """The functions to call."""
        return self._explanations()

    def on(self, error: BaseException | None) -> list[str]:
        """Return the hints on *error* that its text and its notes do not contain yet."""
        if not isinstance(error, Exception):  # an outcome of pytest (skip, exit), or Ctrl-C
            return []
        hints: list[str] = []
        for explain in self.explain:
            # An error in a hint must not hide the error that the hint is about.
            with suppress(Exception):
                hints += explain(error)
        present = "\n".join([str(error), *getattr(error, "__notes__", ())])
        return [hint for hint in dict.fromkeys(hints) if hint not in present]

    def attach(self, error: BaseException | None) -> list[str]:
        """Add the hints on *error* as its notes; return those that this Python cannot add (before 3.11)."""
        hints = self.on(error)
        if sys.version_info < (3, 11) or error is None:
            return hints
        for hint in hints:
            error.add_note(hint)
        return []
