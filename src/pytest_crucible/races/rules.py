"""The rules of a race: its actors, and what they may not do."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..errors import UsageError

# An exception class, or a status code from 500.
Allowed = type[Exception] | int


class Rules(NamedTuple):
    """The actors of a race, and the checks after each order.

    Attributes:
        functions: The functions of the actors.
        invariant: The function that checks the database, or what the actors returned.
        allowed: The exceptions that an actor may raise, and the status codes from 500 that a response may have.
    """

    functions: Sequence[Callable[[], Any]]
    invariant: Callable[..., Any] | None
    allowed: Sequence[Allowed]

    def check(self) -> None:
        """Refuse fewer than two actors, and those that are no functions.

        Raises:
            UsageError: If there are such.
        """
        if len(self.functions) < 2:
            raise UsageError(
                f"race() needs at least two actors; it got {len(self.functions)}.",
                do="Pass functions: await race(lambda: client.post(…), lambda: client.post(…)).",
            )
        for function in self.functions:
            if inspect.iscoroutine(function):
                function.close()
                raise UsageError(
                    "race() got a coroutine; each actor runs many times, so it must be a function.",
                    do="Write a lambda: race(lambda: client.post(…), …).",
                )
            if not callable(function):
                raise UsageError(f"race() got {function!r}, which is not a function.", do="Pass functions.")

    async def failure(self, outcomes: list[Any]) -> BaseException | None:
        """Return what is wrong with an order that has just run, or None.

        Args:
            outcomes: What each actor returned or raised.

        Raises:
            UsageError: If an actor raised one.
        """
        for value in outcomes:
            if isinstance(value, (UsageError, KeyboardInterrupt, SystemExit)):
                raise value
        wrong = next((wrong for value in outcomes if (wrong := self._wrong(value)) is not None), None)
        if wrong is not None or self.invariant is None:
            return wrong
        try:
            return await self._checked(self.invariant, outcomes)
        except Exception as error:  # noqa: BLE001 whatever it raises, the order is what the user must see
            return error

    def _wrong(self, outcome: object) -> BaseException | None:
        if isinstance(outcome, BaseException):
            classes = tuple(each for each in self.allowed if isinstance(each, type))
            return None if isinstance(outcome, classes) else outcome
        status = getattr(outcome, "status_code", None)
        if isinstance(status, int) and status >= 500 and status not in self.allowed:
            return AssertionError(f"a response has the status {status}")
        return None

    @staticmethod
    async def _checked(invariant: Callable[..., Any], outcomes: list[Any]) -> AssertionError | None:
        result = invariant(outcomes) if _takes_argument(invariant) else invariant()
        if inspect.isawaitable(result):
            result = await result
        name = getattr(invariant, "__qualname__", repr(invariant))
        return AssertionError(f"{name} returned False") if result is False else None


def _takes_argument(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # a builtin
        return False
    return any(each.kind not in (each.KEYWORD_ONLY, each.VAR_KEYWORD) for each in parameters)
