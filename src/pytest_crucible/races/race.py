"""The race: functions run against each other in every order of what they send to the database.

Each order begins from the same state, that of a checkpoint. After each one the invariant is checked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from ..control.backend_locks import LockObserver
from ..errors import UsageError
from ..handle import Test
from ..redirect.loops import running_loop
from .explorer import Exploration, Explorer, Limits, Stage
from .gates import Gates
from .rules import Allowed, Rules


class Race:
    """The fixture ``race``.

    Args:
        test: The test.
        token: The order to replay, from ``--crucible-race``, or empty.
        seed: The seed of the run.
    """

    def __init__(self, test: Test, token: str, seed: int) -> None:
        self._test = test
        self._token = token
        self._seed = seed

    async def __call__(
        self,
        *actors: Callable[[], Any],
        invariant: Callable[..., Any] | None = None,
        allowed: Allowed | tuple[Allowed, ...] = (),
        orders: int = 500,
        switches: int | None = None,
        reduce: bool = True,
    ) -> Exploration:
        """Run *actors* against each other in every order of their statements, and check each order.

        >>> await race(
        ...     lambda: ada.post("/withdraw", json={"amount": 80}),
        ...     lambda: ada.post("/withdraw", json={"amount": 80}),
        ...     invariant=balance_is_not_negative,
        ... )

        Each order begins from the present state of the database, which is also its state afterwards.

        Args:
            actors: Coroutine functions; or functions without arguments, which are called in threads, and what they
                return is awaited if it can be.
            invariant: A function or coroutine function that is called after each order, without arguments, or with a
                list of what the actors returned or raised; it raises an AssertionError, or returns False.
            allowed: Exceptions that an actor may raise, and status codes from 500 that its response may have.
            orders: The number of orders after which the race ends. Those with fewer switches between actors come first.
            switches: The number of switches above which an order is left out.
            reduce: Whether to leave out orders that are the same as another one.

        Raises:
            RaceError: If an order fails: an AssertionError with the order, and how to replay it.
            UsageError: If the actors cannot be held: an engine is synchronous on the thread of the loop, its pool has
                too few connections, or the isolation of the test is rollback.
        """
        if running_loop() is None:
            raise UsageError("race() needs asyncio; this test runs on trio.", do="Run it on asyncio.")
        rules = Rules(actors, invariant, allowed if isinstance(allowed, tuple) else (allowed,))
        rules.check()
        if self._test.isolation == "rollback":
            raise _in_rollback()
        limits = Limits(orders, switches, reduce, self._seed)
        with self._stage() as stage:
            explorer = Explorer(rules, stage)
            return await (explorer.replay(self._token) if self._token else explorer.explore(limits))

    def run(self, *actors: Callable[[], Any], **options: Any) -> Exploration:
        """Do the same in a synchronous test, with the same arguments; coroutines run on an event loop of their own."""
        if running_loop() is not None:
            raise UsageError(
                "race.run() was called on an event loop, which it would block.",
                do="Write await race(…) in an asynchronous test.",
            )
        return asyncio.run(self(*actors, **options))

    @contextmanager
    def _stage(self) -> Iterator[Stage]:
        """Yield the means of an exploration, with the database ready and a checkpoint begun."""
        worker = self._test.worker
        with ExitStack() as stack:
            worker.connect()
            checkpoint = stack.enter_context(self._test.checkpoint())
            controls = worker.controls()
            observer = LockObserver(worker.server.connect().address, [control.address for control in controls])
            stack.callback(observer.close)
            gates = Gates()
            stack.enter_context(gates.installed())
            yield Stage(gates, observer, checkpoint, controls)


def _in_rollback() -> UsageError:
    return UsageError(
        "race() needs reset or clone isolation; this test has rollback isolation.",
        why="There, all sessions share one connection and one transaction, so that no two actors can meet.",
        do='Mark the test with @pytest.mark.crucible(isolation="reset").',
    )
