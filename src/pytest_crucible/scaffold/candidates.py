"""The candidates of the trials: the first choices, those to try after a failure, and those to write in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from ..errors import UsageError
from ..project.survey import Finds
from . import databases
from .choices import Choices, is_on, settle
from .questions import Questions
from .trial import TrialOutcome

T = TypeVar("T")


class Candidates:
    """The choices for one project, each with something replaced that has failed.

    Args:
        finds: The survey of the project.
        ask: The questions.
    """

    def __init__(self, finds: Finds, ask: Questions) -> None:
        self._finds = finds
        self._ask = ask
        self._without: list[str] = []
        self._seen: list[Choices] = []
        self._needs_host = False

    def first(self) -> Choices:
        """Return the likeliest choices."""
        return self._new(settle(self._finds, self._ask))

    def after(self, choices: Choices, outcome: TrialOutcome) -> Choices | None:
        """Return the choices with what has failed replaced or left out; None if there is no other candidate."""
        self._needs_host |= outcome.refuses_url
        following = self._following(choices, outcome)
        return self._new(following) if following is not None and following not in self._seen else None

    def _new(self, choices: Choices) -> Choices:
        self._seen.append(choices)
        return choices

    def _following(self, choices: Choices, outcome: TrialOutcome) -> Choices | None:
        if choices.variables and outcome.refuses_url:
            return replace(choices, variables=databases.with_host(choices.variables))
        if outcome.missing_variable and not choices.variables and not is_on(self._finds):
            missing = databases.of_a_missing(self._finds, outcome.missing_variable)
            if missing:
                return replace(choices, variables=missing)
        if choices.variables and outcome.failed == "application":
            return replace(choices, variables=())
        if outcome.needs_url and not choices.variables and not is_on(self._finds):
            return replace(choices, variables=tuple(databases.of_a_driver(self._finds)))
        suspect = choices.suspect(outcome.failed)
        return self._replaced(choices, suspect) if suspect is not None else None

    def _replaced(self, choices: Choices, suspect: str) -> Choices | None:
        self._without.append(suspect)
        try:
            following = settle(self._finds, self._ask, self._without)
        except UsageError:
            return None
        if self._needs_host:
            following = replace(following, variables=databases.with_host(following.variables))
        return following if following.app is not None or choices.app is None else None


def best(tried: Sequence[tuple[T, TrialOutcome]]) -> tuple[T, TrialOutcome]:
    """Return the first that works; else the first that sets no URL which the application refuses."""
    working = (each for each in tried if not each[1].failed)
    return next(working, None) or next((each for each in tried if not each[1].refuses_url), tried[0])
