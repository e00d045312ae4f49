"""The conductor of one order: it grants one step at a time, and waits until its effects are over.

A granted step is over when its actor is held again, or done, or waits. Whether it waits for a lock, the server tells
(`LockObserver`). A backend that is idle while its actor is silent shows that the actor waits for something else: an
answer over HTTP, a sleep, a lock of asyncio. Then the other actors go on, and the order is *timed*: whether it comes
out the same again depends on time.

A deadlock has the same victim each time: the server looks for one when a backend has waited for ``deadlock_timeout``
(PostgreSQL manual, 20.12), so the next step is granted only after that, and the backend that waited last finds it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from ..control.backend_locks import BackendLocks, LockObserver
from ..errors import UsageError
from ..queries import cut
from .actors import Actor, Step
from .footprints import Footprints
from .gates import Gates
from .orders import Order
from .scheduling import is_runnable

TICK_SECONDS = 0.001
# The pauses between looks at the server: most waits are for a lock, and known at once.
PAUSES = [TICK_SECONDS] * 4 + [2 * TICK_SECONDS] * 2 + [4 * TICK_SECONDS]
# After so long without a sign of life, an actor waits elsewhere. Pauses during which this process, or its loop, was
# busy do not count, so that a busy machine is not taken for a wait, but for this there is a limit.
SILENT_SECONDS = 0.02
BUSY_SECONDS = 3.0
# An actor that waited elsewhere is given so long after each step of another one.
AGAIN_SECONDS = 0.003
# On a server with a deadlock_timeout for production, a deadlock is waited for only where nothing else can go on.
PATIENCE_SECONDS = 0.02
LIMIT_SECONDS = 10.0
# An order with more steps has no end.
MOST_STEPS = 1000
# Where an order ends early, its actors have so long to end by themselves, and then as long to be cancelled.
RELEASE_SECONDS = 1.0


class Conductor:
    """The conductor of one order.

    Args:
        actors: The actors.
        observer: Looks at the server's locks.
        footprints: The footprints of steps, where the order needs them.

    Attributes:
        reduce: Whether the order needs the footprints of steps.
        loop: The event loop that it runs on.
        is_open: Whether actors are held.
        steps: The granted steps.
        is_timed: Whether an actor waited for something that the server does not know.
    """

    def __init__(self, actors: Sequence[Actor], observer: LockObserver, footprints: Footprints | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.is_open = True
        self.steps: list[Step] = []
        self.is_timed = False
        self._actors = actors
        self._observer = observer
        self.reduce = footprints is not None
        self._moved = asyncio.Event()
        self._elsewhere: set[Actor] = set()
        self._footprints = footprints

    def arrive(self, step: Step) -> None:
        """Note that the actor of *step* is held; in any thread."""
        self._call(self._hold, step)

    def _hold(self, step: Step) -> None:
        if step.go.cancelled():
            return
        if self.is_open:
            step.actor.hold(step)
            step.go.add_done_callback(lambda _: self._call(self._withdraw, step))
        else:
            step.go.set_result(None)
        self._moved.set()

    def _withdraw(self, step: Step) -> None:
        """Let go of a step whose task was cancelled, by a timeout of its own for example."""
        if step.go.cancelled() and step in step.actor.held:
            step.actor.held.remove(step)
            self.is_timed = True
            self._moved.set()

    def _call(self, function: Callable[[Step], None], step: Step) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self.loop.call_soon_threadsafe(function, step)

    async def run(self, order: Order, gates: Gates) -> None:
        """Run the actors in *order*, to the end of each."""
        tasks = []
        with gates.leading_to(self):
            try:
                for actor in self._actors:
                    tasks.append(actor.start())
                    tasks[-1].add_done_callback(lambda _: self._moved.set())
                    await self._settle()
                while not all(actor.is_done for actor in self._actors) or any(actor.held for actor in self._actors):
                    if len(self.steps) >= MOST_STEPS:
                        raise self._endless()
                    await self._go_on(order)
            finally:
                await self._release(tasks)

    async def _go_on(self, order: Order) -> None:
        enabled = [actor for actor in self._actors if actor.held]
        if not enabled:
            await self._wait_for_any()
            return
        actor = self._actors[order.choose([actor.number for actor in enabled])]
        step = actor.held.popleft()
        others_wait = not all(other.is_at_rest for other in self._actors if other is not actor)
        self._grant(step)
        await self._settle()
        known = self._footprints if actor.is_at_rest else None
        order.done(known.of(step, others_wait=others_wait) if known else None)

    def _grant(self, step: Step) -> None:
        self.steps.append(step)
        step.actor.silent = 0.0
        self._elsewhere.discard(step.actor)
        step.actor.under_way[step.pid] = step
        step.go.set_result(None)

    async def _settle(self) -> None:
        """Wait until each actor is held, or done, or waits."""
        for actor in self._elsewhere:
            actor.silent = SILENT_SECONDS - AGAIN_SECONDS
        began, pauses = self.loop.time(), iter(PAUSES)
        while busy := [actor for actor in self._actors if not actor.is_at_rest]:
            paused = await self._pause(next(pauses, PAUSES[-1]))
            if paused is None:
                pauses = iter(PAUSES)
                continue
            seen = self._observer.look([pid for actor in busy for pid in actor.under_way])
            silent = BUSY_SECONDS if self.loop.time() - began > BUSY_SECONDS else paused
            if all([self._waits(actor, seen, silent) for actor in busy]):  # noqa: C419 each is looked at
                return
            if self.loop.time() - began > LIMIT_SECONDS:
                raise self._stuck()

    async def _pause(self, seconds: float) -> float | None:
        """Wait so long; return the time in which nothing else ran, in seconds, or None if an actor has moved."""
        began = self.loop.time()
        timer = self.loop.call_later(seconds, self._moved.set)
        await self._moved.wait()
        self._moved.clear()
        if timer.when() > self.loop.time():
            timer.cancel()
            return None
        return seconds if self.loop.time() - began < seconds + TICK_SECONDS else 0.0

    def _waits(self, actor: Actor, seen: dict[int, BackendLocks], silent: float) -> bool:
        """Return whether *actor* waits, for a lock or for something else, after a pause of *silent* seconds."""
        for pid, step in actor.under_way.items():  # no listener is told that a commit is over
            step.is_over = step.is_over or (step.kind != "statement" and (pid not in seen or seen[pid].state == "idle"))
        if actor.is_at_rest:
            return True
        backends = [(step, seen[pid]) for pid, step in actor.under_way.items() if pid in seen and not step.is_last]
        blocked = [(step, backend) for step, backend in backends if backend.is_waiting]
        for step, _ in blocked:
            self._note_wait(step)
        if blocked and len(blocked) == len(backends):
            return all(self._is_ripe(backend) for _, backend in blocked)
        backends = [(step, backend) for step, backend in backends if not backend.is_waiting]
        if any(not backend.is_idle for _, backend in backends):
            return False
        is_busy = actor.is_busy or any(is_runnable(backend.pid) for _, backend in backends)
        actor.silent += silent if silent == BUSY_SECONDS or not is_busy else 0.0
        if actor.silent < SILENT_SECONDS:
            return False
        self.is_timed = True
        self._elsewhere.add(actor)
        return True

    def _is_ripe(self, backend: BackendLocks) -> bool:
        """Return whether the backend has looked for a deadlock, and found none."""
        ripe = min(self._observer.deadlock_seconds, PATIENCE_SECONDS) + TICK_SECONDS
        # One whose timer has run out while no processor was free has not looked yet.
        return backend.waited is not None and backend.waited > ripe and not is_runnable(backend.pid)

    def _note_wait(self, step: Step) -> None:
        if not step.waited_for:
            pids = {pid: actor for actor in self._actors for pid in self._pids(actor)}
            blockers = [pids[pid] for pid in self._observer.blockers(step.pid) if pid in pids]
            step.waited_for = [actor for actor in dict.fromkeys(blockers) if actor is not step.actor]

    def _pids(self, actor: Actor) -> set[int]:
        return {step.pid for step in [*self.steps, *actor.held] if step.actor is actor}

    async def _wait_for_any(self) -> None:
        """Wait until an actor can go on, where all of them wait."""
        began = self.loop.time()
        while not any(actor.held for actor in self._actors) and not all(actor.is_done for actor in self._actors):
            await self._pause(TICK_SECONDS)
            if self.loop.time() - began > LIMIT_SECONDS:
                raise self._stuck()

    async def _release(self, tasks: Sequence[asyncio.Task[object]]) -> None:
        """Let every actor go on without being held, to its end."""
        self.is_open = False
        for actor in self._actors:
            while actor.held:
                actor.held.popleft().go.set_result(None)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=RELEASE_SECONDS)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=RELEASE_SECONDS)

    def _stuck(self) -> UsageError:
        return UsageError(
            f"No actor of the race could go on for {LIMIT_SECONDS:g} s: {'; '.join(map(self._state, self._actors))}.",
            why="An actor waits for something that no other actor does: an answer, an event, a connection of a pool"
            " that is too small.",
            do="Give the engine a pool_size of at least the number of actors, and let no actor wait for the test.",
        )

    def _endless(self) -> UsageError:
        return UsageError(
            f"An order of the race has {MOST_STEPS:,} steps and no end: {'; '.join(map(self._state, self._actors))}.",
            why="An actor sends statements in a loop that does not end.",
            do="Let each actor end by itself, and race less at a time.",
        )

    def _state(self, actor: Actor) -> str:
        if actor.is_done:
            return f"{actor.name} is done"
        last = next((step for step in reversed(self.steps) if step.actor is actor), None)
        text = f" after {cut(' '.join(last.sql.split()) or last.kind.upper(), 60)!r} at {last.location}" if last else ""
        return f"{actor.name} goes on{text}" if actor.held else f"{actor.name} waits{text}"
