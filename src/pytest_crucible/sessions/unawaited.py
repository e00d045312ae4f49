"""Calls of an asynchronous session that a test did not await, and which therefore had no effect.

Python's own warning of them appears elsewhere. Python calls ``warnings._warn_unawaited_coroutine`` with the coroutine
that is collected. There is no public way to get the coroutine: the warning itself is filtered, recorded, and holds a
name only. This module is the adapter.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from types import CoroutineType
from typing import Any, TypeGuard

from sqlalchemy.ext.asyncio import AsyncSession

from ..errors.locations import CodeLocation, here
from ..project.patches import Patches

HOOK = "_warn_unawaited_coroutine"


class Unawaited:
    """The calls that were not awaited in this test."""

    def __init__(self) -> None:
        self._calls: list[tuple[str, CodeLocation | None]] = []
        self._warn: Callable[[Any], None] | None = getattr(warnings, HOOK, None)
        self._patches = Patches()

    def install(self) -> None:
        """Start noting coroutines that are collected before they began."""
        if self._warn is not None:
            self._patches.put(warnings, HOOK, self._collected)

    def remove(self) -> None:
        """Stop noting coroutines."""
        self._patches.undo()

    def begin(self) -> None:
        """Forget the calls of earlier tests."""
        self._calls.clear()

    def describe(self, named: Mapping[str, object]) -> list[str]:
        """Return a line for each call.

        Args:
            named: The test's variables by their names: a call that one of them holds counts as well.
        """
        held = [(str(value.__qualname__), None) for value in named.values() if _is_of_session(value)]
        return [
            f"{name}() was not awaited{f' at {where}' if where else ''}: nothing was done. Write `await` before it."
            for name, where in dict.fromkeys([*self._calls, *held])
        ]

    def _collected(self, coroutine: CoroutineType[Any, Any, Any]) -> None:
        if _is_of_session(coroutine):
            self._calls.append((coroutine.__qualname__, here()))
        if coroutine.cr_origin is not None and self._warn is not None:
            self._warn(coroutine)  # with the origin that the user has asked Python to record
            return
        # Not by Python's function, which would show this frame as the one that lost the coroutine.
        text = f"coroutine '{coroutine.__qualname__}' was never awaited"
        warnings.warn(text, RuntimeWarning, stacklevel=2, source=coroutine)


def _is_of_session(value: object) -> TypeGuard[CoroutineType[Any, Any, Any]]:
    """Return whether *value* is a call of an asynchronous session that has not begun."""
    if type(value) is not CoroutineType or inspect.getcoroutinestate(value) != inspect.CORO_CREATED:
        return False
    frame = value.cr_frame
    return frame is not None and isinstance(frame.f_locals.get("self"), AsyncSession)
