"""The orders in which the steps of several actors can follow one another, the fewest switches first.

An order is a list of actors: the actor whose next step is granted, step by step. Which actors can go on is known only
while an order runs, so orders are found by running them (stateless search): an order follows a given beginning and
then goes on with the actor that went last. Each other choice on its way is the beginning of another order, so that
each order comes up exactly once.

Reduction
---------
Two steps that follow each other, and that do not depend on each other, have the same result in either order. Sleep sets
(Godefroid, "Partial-Order Methods for the Verification of Concurrent Systems", 1996, chapter 5) leave out an order that
differs from another one only in this: after the choice of one actor has been explored, the actor *sleeps* in the orders
that begin with another choice there, until a step comes that depends on its own.
"""

from __future__ import annotations

import heapq
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, count, groupby, permutations
from math import factorial, prod
from typing import NamedTuple

# Beyond so many switches, orders are drawn at random.
SYSTEMATIC = 2


class Footprint(NamedTuple):
    """The relations that a transaction has read and written by the end of a step: database and oid."""

    reads: frozenset[tuple[str, int]]
    writes: frozenset[tuple[str, int]]

    def meets(self, other: Footprint) -> bool:
        """Return whether one of the two writes a relation that the other reads or writes."""
        return bool(self.writes & (other.reads | other.writes) or other.writes & self.reads)


class Diverged(Exception):
    """A beginning that could not be followed: the actor could not go on at this step."""

    def __init__(self, step: int, actor: int, enabled: Sequence[int]) -> None:
        self.step = step
        self.actor = actor
        self.enabled = enabled
        super().__init__(step, actor, enabled)


@dataclass
class Choice:
    """One point of an order at which several actors could go on.

    Attributes:
        before: The actors of the steps up to here.
        enabled: The actors that could go on.
        free: Those of them that do not sleep.
        actor: The chosen one.
        switches: The number of switches up to here.
        asleep: The actors that sleep here, with the footprints of their next steps.
        footprints: The footprints of the next steps of those actors that were chosen here, as far as explored; None for
            a step that depends on every other.
    """

    before: tuple[int, ...]
    enabled: tuple[int, ...]
    free: tuple[int, ...]
    actor: int
    switches: int
    asleep: dict[int, Footprint]
    footprints: dict[int, Footprint | None] = field(default_factory=dict)

    def is_switch(self, actor: int) -> bool:
        """Return whether *actor* interrupts another one that could go on."""
        return is_switch(self.before, self.enabled, actor)


@dataclass(frozen=True)
class Branch:
    """The beginning of an order that is not explored yet: another choice at a point of an explored one."""

    choice: Choice
    actor: int
    earlier: tuple[int, ...]  # the actors whose orders are explored instead of this one's where they are the same

    @property
    def beginning(self) -> tuple[int, ...]:
        """The actors of its first steps."""
        return (*self.choice.before, self.actor)

    @property
    def switches(self) -> int:
        """The number of switches in its beginning."""
        return self.choice.switches + self.choice.is_switch(self.actor)

    def asleep(self) -> dict[int, Footprint]:
        """Return the actors that sleep at its last choice."""
        explored = ((actor, self.choice.footprints.get(actor)) for actor in self.earlier)
        return self.choice.asleep | {actor: footprint for actor, footprint in explored if footprint is not None}


class Order:
    """One order, as it comes about.

    Attributes:
        actors: The actors of its steps so far.
        switches: The number of times that an actor was interrupted.
        choices: The choices behind the given beginning.
        is_covered: Whether another order covers this one: from some point on, all actors that could go on slept.
    """

    def __init__(self, beginning: Sequence[int] = (), branch: Branch | None = None) -> None:
        self.actors: list[int] = []
        self.switches = 0
        self.choices: list[Choice] = []
        self.is_covered = False
        self._beginning = branch.beginning if branch else tuple(beginning)
        self._branch = branch
        self._asleep: dict[int, Footprint] = {}

    def choose(self, enabled: Sequence[int]) -> int:
        """Return the actor that goes next.

        Args:
            enabled: The actors that can go on, always in the same sequence.

        Raises:
            Diverged: If the actor of the beginning is not among them.
        """
        actor = self._next(tuple(enabled))
        self.switches += is_switch(self.actors, enabled, actor)
        self.actors.append(actor)
        return actor

    def _next(self, enabled: tuple[int, ...]) -> int:
        at = len(self.actors)
        if at < len(self._beginning):
            if self._beginning[at] not in enabled:
                raise Diverged(at, self._beginning[at], enabled)
            return self._beginning[at]
        free = tuple(actor for actor in enabled if actor not in self._asleep)
        self.is_covered = self.is_covered or not free
        last = self.actors[-1] if self.actors else None
        actor = last if last in (free or enabled) and last is not None else (free or enabled)[0]
        if not self.is_covered:
            self.choices.append(Choice(tuple(self.actors), enabled, free, actor, self.switches, dict(self._asleep)))
        return actor

    def done(self, footprint: Footprint | None) -> None:
        """Note the footprint of the step chosen last; None if it depends on every other step."""
        at, actor = len(self.actors), self.actors[-1]
        if at < len(self._beginning):
            return
        if at == len(self._beginning):
            if self._branch is not None:
                self._asleep = self._branch.asleep()
                self._branch.choice.footprints[actor] = footprint
        elif not self.is_covered:
            self.choices[-1].footprints[actor] = footprint
        self._asleep = {
            each: theirs
            for each, theirs in self._asleep.items()
            if footprint is not None and each != actor and not theirs.meets(footprint)
        }


class Orders:
    """All orders, explored one after the other.

    Args:
        seed: The seed for the draw of orders with more than two switches.
        switches: The number of switches above which an order is left out.

    Attributes:
        left: Whether orders were left out because of their switches.
    """

    def __init__(self, seed: int = 0, switches: int | None = None) -> None:
        self.left = False
        self._most = switches
        self._number = count()
        self._waiting: list[tuple[int, int, Branch]] = []
        self._random = random.Random(seed)  # noqa: S311 no secret
        self._begun = False

    def __iter__(self) -> Iterator[Order]:
        """Yield the orders; the next one only after the last one has run, and its choices are known."""
        order = Order()
        yield order
        self._note(order)
        while self._waiting:
            order = Order(branch=self._pop())
            yield order
            self._note(order)

    @property
    def waiting(self) -> int:
        """The number of beginnings that are known and not explored."""
        return len(self._waiting)

    def _pop(self) -> Branch:
        if self._waiting[0][0] > SYSTEMATIC:  # all of them, and those that follow from them: no heap any more
            at = self._random.randrange(len(self._waiting))
            self._waiting[at], self._waiting[-1] = self._waiting[-1], self._waiting[at]
            return self._waiting.pop()[2]
        return heapq.heappop(self._waiting)[2]

    def _note(self, order: Order) -> None:
        for choice in order.choices:
            others = [actor for actor in choice.free if actor != choice.actor]
            for at, actor in enumerate(others):
                branch = Branch(choice, actor, (choice.actor, *others[:at]))
                if self._most is not None and branch.switches > self._most:
                    self.left = True
                else:
                    heapq.heappush(self._waiting, (branch.switches, next(self._number), branch))


def is_switch(before: Sequence[int], enabled: Sequence[int], actor: int) -> bool:
    """Return whether *actor*, after the actors *before*, interrupts the last of them, which could go on."""
    return bool(before) and before[-1] in enabled and actor != before[-1]


def simpler(actors: Sequence[int]) -> list[tuple[int, ...]]:
    """Return orders of the same steps with fewer runs of one actor: one run moves to another of its actor."""
    runs = [[*group] for _, group in groupby(actors)]
    orders = set()
    for source, target in permutations(range(len(runs)), 2):
        if runs[source][0] == runs[target][0]:
            kept = [run + runs[source] if at == target else run for at, run in enumerate(runs) if at != source]
            orders.add(tuple(chain.from_iterable(kept)))
    return sorted(orders, key=lambda order: (len([*groupby(order)]), order))


def letter(actor: int) -> str:
    """Return the letter of an actor in the text of an order."""
    return chr(ord("a") + actor)


def estimate(actors: Iterable[int]) -> int:
    """Return the number of orders of as many steps of each actor as in one order, if none ever waits for another."""
    steps = [len([*group]) for _, group in groupby(sorted(actors))]
    return factorial(sum(steps)) // prod(map(factorial, steps))


def token(actors: Iterable[int]) -> str:
    """Return the text from which `parse` reads an order: ``a3b2a1`` for three steps of the first actor, and so on."""
    return "".join(f"{letter(actor)}{len([*group])}" for actor, group in groupby(actors))


def parse(text: str) -> tuple[int, ...] | None:
    """Return the actors of the order *text*, or None if it is not the text of an order."""
    if not re.fullmatch(r"([a-z][1-9]\d*)+", text):
        return None
    runs = re.findall(r"([a-z])(\d+)", text)
    return tuple(ord(letter) - ord("a") for letter, length in runs for _ in range(int(length)))
