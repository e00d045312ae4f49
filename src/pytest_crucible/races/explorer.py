"""The exploration of a race: order after order, each from the same state, until one fails or the limits are reached."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ..control import Control
from ..control.backend_locks import LockObserver
from ..control.row_changes import RowChange, RowWatch, watching
from ..errors import RaceError, UsageError
from .actors import Actor, Step
from .conductor import Conductor
from .footprints import CLOCK, Footprints
from .gates import Gates
from .orders import SYSTEMATIC, Diverged, Order, Orders, estimate, letter, parse, simpler, token
from .rules import Rules
from .timeline import outcome, timeline

if TYPE_CHECKING:
    from ..isolation.checkpoints import Checkpoint

# Orders that are run to find a failing one with fewer switches.
ATTEMPTS = 60


@dataclass
class Exploration:
    """The result of a race: which orders have run, and what came of them.

    Attributes:
        orders: The number of orders that have run.
        outcomes: How often the actors had each outcome: the texts of what they returned or raised, in their sequence.
        seconds: The time that it took.
        is_exhaustive: Whether every order has run, except those that reduction has shown to be the same as another.
        is_timed: Whether an actor waited for something outside the database, so that orders depend on time.
        covered: How many of the orders turned out to be the same as another one.
        estimate: The number of orders without reduction, if no actor ever waits; an estimate, from one order.
    """

    orders: int = 0
    outcomes: Counter[tuple[str, ...]] = field(default_factory=Counter)
    seconds: float = 0.0
    is_exhaustive: bool = False
    is_timed: bool = False
    covered: int = 0
    estimate: int = 0

    def add(self, ran: Ran, order: Order, seconds: float) -> None:
        """Count an order that has run, *seconds* after the exploration began."""
        self.orders += 1
        self.covered += order.is_covered
        self.is_timed = self.is_timed or ran.is_timed
        self.estimate = max(self.estimate, estimate(order.actors))
        self.outcomes[tuple(outcome(actor.outcome) for actor in ran.actors)] += 1
        self.seconds = seconds

    def __str__(self) -> str:
        """Return the figures in one line, and a line for each outcome."""
        kind = "all" if self.is_exhaustive else f"of about {self.estimate:,}"
        timed = ", timed" if self.is_timed else ""
        lines = [f"{self.orders:,} orders ({kind}{timed}) in {self.seconds:.2f} s"]
        lines += [f"  {times:,} times {', '.join(texts)}" for texts, times in self.outcomes.most_common()]
        return "\n".join(lines)


class Limits(NamedTuple):
    """The bounds of an exploration.

    Attributes:
        orders: The number of orders after which it ends.
        switches: The number of switches above which an order is left out; None for no limit.
        reduce: Whether orders are left out that are the same as another one.
        seed: The seed for the draw of orders with many switches.
    """

    orders: int
    switches: int | None
    reduce: bool
    seed: int


class Stage(NamedTuple):
    """The means of an exploration.

    Attributes:
        gates: The listeners that hold actors.
        observer: Looks at the server's locks.
        checkpoint: The state from which each order begins.
        controls: The control connections of the databases.
    """

    gates: Gates
    observer: LockObserver
    checkpoint: Checkpoint
    controls: Sequence[Control]


class Ran(NamedTuple):
    """One order that has run: its actors, their steps, what the invariant raised, or an actor, and the changed rows."""

    actors: Sequence[Actor]
    steps: list[Step]
    is_timed: bool
    failure: BaseException | None
    changes: list[RowChange]


class Explorer:
    """The exploration of one race."""

    def __init__(self, rules: Rules, stage: Stage) -> None:
        self._rules = rules
        self._stage = stage
        self._footprints = Footprints(stage.observer)
        self._search = Orders()

    async def explore(self, limits: Limits) -> Exploration:
        """Run orders until all have run, or *limits* are reached."""
        began = time.perf_counter()
        await self._rehearse()
        exploration = Exploration()
        for order in self._orders(limits):
            try:
                ran = await self._run(order, reduce=limits.reduce)
            except Diverged:  # it depends on time, or on a state that no reset restores
                exploration.is_timed = True
                continue
            exploration.add(ran, order, time.perf_counter() - began)
            if ran.failure is not None:
                least, shortest = await self._minimised(ran, order)
                raise await self._error(least, shortest, exploration) from least.failure
            if exploration.orders >= limits.orders:
                break
        exploration.is_exhaustive = not (self._search.waiting or self._search.left or exploration.is_timed)
        return exploration

    def _orders(self, limits: Limits) -> Iterator[Order]:
        """Yield the orders; all of them anew where an actor asks for the time, of which others knew nothing."""
        knows_clock = None
        while knows_clock != self._footprints.uses_clock:
            knows_clock = self._footprints.uses_clock
            self._search = Orders(limits.seed, limits.switches)
            for order in self._search:
                yield order
                if limits.reduce and knows_clock != self._footprints.uses_clock:
                    break

    async def replay(self, text: str) -> Exploration:
        """Run the order *text* alone."""
        beginning = parse(text)
        if beginning is None or max(beginning) >= len(self._rules.functions):
            raise UsageError(
                f"--crucible-race={text} is not an order of this race, which has {len(self._rules.functions)} actors.",
                do="Copy it from the report of the failure: for example --crucible-race=a2b3a1.",
            )
        began = time.perf_counter()
        await self._rehearse()
        order = Order(beginning)
        try:
            ran = await self._run(order)
        except Diverged as error:
            raise _diverged(text, error) from None
        exploration = Exploration()
        exploration.add(ran, order, time.perf_counter() - began)
        if ran.failure is not None:
            raise await self._error(ran, order, exploration) from ran.failure
        return exploration

    async def _rehearse(self) -> None:
        """Run the actors one after the other: connections, caches and prepared statements are there afterwards."""
        await self._run(Order())
        pool = self._stage.gates.crowded()
        if pool is not None:
            users = len(self._stage.gates.users[pool])
            raise UsageError(
                f"{users} actors of the race use an engine whose pool has fewer connections: {pool.status()}.",
                why="Held before a statement, an actor keeps its connection, and another one waits for it in vain.",
                do="Give the engine of the tests a pool_size of at least the number of actors, or poolclass=NullPool.",
            )

    async def _run(self, order: Order, *, reduce: bool = False, watch: RowWatch | None = None) -> Ran:
        """Run one order, check it, and reset the database; *watch* it for changed rows."""
        actors = [Actor(number, function) for number, function in enumerate(self._rules.functions)]
        self._footprints.begin()
        conductor = Conductor(actors, self._stage.observer, self._footprints if reduce else None)
        try:
            await conductor.run(order, self._stage.gates)
            changes = [] if watch is None else watch.changes()
            failure = await self._rules.failure([actor.outcome for actor in actors])
        finally:
            # In a thread: the event loop runs on, and tasks of the lifespan end their transactions.
            await asyncio.to_thread(self._stage.checkpoint.reset)
        if any(CLOCK.search(step.sql) for step in conductor.steps):
            self._footprints.uses_clock = True
        return Ran(actors, conductor.steps, conductor.is_timed, failure, changes)

    async def _minimised(self, ran: Ran, order: Order) -> tuple[Ran, Order]:
        """Return an order that fails with the same kind of error, with as few switches as can be found.

        Only an order drawn at random may have more than it needs: all those with fewer have run before the others.
        """
        attempts = ATTEMPTS
        while order.switches > SYSTEMATIC + 1:
            for actors in simpler(order.actors)[:attempts]:
                attempts -= 1
                other = Order(actors)
                with suppress(Diverged):
                    again = await self._run(other)
                    if other.switches < order.switches and type(again.failure) is type(ran.failure):
                        ran, order = again, other
                        break
            else:
                break
        return ran, order

    async def _error(self, ran: Ran, order: Order, exploration: Exploration) -> RaceError:
        """Return the error for a failed order, which runs once more: for the rows that it changes."""
        text = token(order.actors)
        changes, again = await self._again(order)
        return RaceError(
            f"{len(ran.actors)} actors fail in one order of their statements, with"
            f" {order.switches} {'switch' if order.switches == 1 else 'switches'} between them"
            f" ({exploration.orders:,} orders explored):\n\n{timeline(ran.actors, ran.steps)}\n\n"
            + "\n".join(f"{actor.name}: {outcome(actor.outcome)}" for actor in ran.actors)
            + f"\n\n{type(ran.failure).__name__}: {ran.failure}",
            why="\n".join(["Rows that this order changes:", *map(str, changes)]) if changes else "",
            do=f"{again} Run it alone: pytest --crucible-race={text}",
        )

    async def _again(self, order: Order) -> tuple[list[RowChange], str]:
        """Run *order* once more; return the rows that it changes, and whether it has failed again."""
        try:
            with watching(self._stage.controls) as watch:
                ran = await self._run(Order(order.actors), watch=watch)
        except Diverged as error:
            return [], f"Run once more, it came out otherwise from step {error.step + 1} on: it depends on time."
        return ran.changes, "Run once more, it failed again." if ran.failure else "Run once more, it did not fail."


def _diverged(text: str, error: Diverged) -> UsageError:
    letters = " or ".join(letter(actor).upper() for actor in error.enabled) or "no actor"
    return UsageError(
        f"--crucible-race={text} could not be followed: at step {error.step + 1}"
        f" {letter(error.actor).upper()} cannot go on, but {letters}.",
        why="The code has changed since, or an actor depends on time or on state outside the database.",
        do="Run the test without --crucible-race to explore its orders anew.",
    )
