"""A worker database with everything in it, the connections that work on it, and its baseline."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psycopg
from programs import Program
from psycopg.rows import tuple_row
from seats import PATIENCE, Asynchronous, Orm, Raw, Result, Seat
from snapshot import Snapshot

from pytest_crucible.control import Answer
from pytest_crucible.errors import LeakWarning, UsageError
from pytest_crucible.handle import Test
from pytest_crucible.run import Run
from pytest_crucible.server import Address
from pytest_crucible.settings import Settings

ROOT = Path(__file__).parent
SETTINGS = Settings(root=ROOT, metadata=("crucible_everything:metadata",), load="crucible_everything:load")
SEQUENCES = (
    "SELECT {} FROM (SELECT) q".format(
        ", ".join(
            f"nextval('{name}')"
            for name in (
                "plain_seq", "used_seq", "cached_seq", "down_seq", "small_seq", "short_seq", "unlogged_seq",
                "other.plain_seq", "author_id_seq", "book_id_seq", "everything_id_seq", "volatile_note_id_seq",
            )
        )
    )
)  # fmt: skip


# Crucible's own functions whose text is written for the baseline's tables.
WRITTEN = (",restore_tables,", ",restore_difference,", ",sequence_now,")

# What runs in a checkpoint, and the seats that end nothing themselves.
Block = tuple[Program, frozenset[int]]


class World:
    """One run of tests, each of which is a program.

    Args:
        only_engines: Use no raw connection, for which a test's end waits for the reset.

    Attributes:
        late: The number of programs whose reset went on after their end.
    """

    def __init__(self, *, only_engines: bool = False) -> None:
        raw = [Orm(PATIENCE) if only_engines else Raw(self._address, PATIENCE) for _ in range(2)]
        self.seats: tuple[Seat, ...] = (*raw, Orm(PATIENCE), Asynchronous(PATIENCE))
        self.late = 0
        self.run = Run(SETTINGS, "15011a7e", "main")
        self.run.worker.redirect.install()
        self.run.worker.server.connect().role("reader")
        self.clones = self.puts = 0
        self._admin: tuple[int, psycopg.Connection] | None = None
        self.run.worker.ready()
        self.baseline = Snapshot(self.admin)
        self.next_values = self._next_values()

    def _address(self) -> Address:
        return self.run.worker.address()

    @property
    def admin(self) -> psycopg.Connection:
        """The administrator's connection to the worker database as it is now."""
        worker = self.run.worker
        worker.ready()
        if self._admin is None or self._admin[0] != worker.main.generation:
            if self._admin is not None:
                self._admin[1].close()
            words = worker.connect().address.libpq()
            self._admin = (worker.main.generation, psycopg.connect(**words, autocommit=True, row_factory=tuple_row))
        return self._admin[1]

    def play(
        self, program: Program, leaks: Iterable[int] = (), *, seats: tuple[Seat, ...] | None = None
    ) -> list[Result]:
        """Run *program* as one test, whose end is the reset; the seats in *leaks* end nothing themselves."""
        seats = seats or self.seats
        generation = self.run.worker.main.generation
        used = {number for number, _ in program}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LeakWarning)
            with self.run.isolated(self.run.new_test("program", "reset", keep=False)):
                results = [seats[seat].execute(statement) for seat, statement in program]
                for number in used - set(leaks):
                    seats[number].end()
            self.late += any(database.is_resetting for database in self.run.worker.databases)
            self.run.isolation.finish_reset()
        for number in used:
            seats[number].settle()
        self.run.worker.ready()
        if self.run.worker.main.generation == generation:
            self.puts += 1
        else:
            self.clones += 1
            self._close_raw()
        return results

    def play_blocks(self, before: Program, blocks: Iterable[Block], *, depth: int = 1) -> list[str]:
        """Run *before*, and then *blocks* in a checkpoint each, or one in the other; return what they have left."""
        left: list[str] = []
        generation = self.run.worker.main.generation
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LeakWarning)
            with self.run.isolated(self.run.new_test("blocks", "reset", keep=False)) as test:
                self._step(before)
                self._play_blocks(test, list(blocks), depth, left)
            self.run.isolation.finish_reset()
        for seat in self.seats:
            seat.settle()
        self.run.worker.ready()
        if self.run.worker.main.generation != generation:
            self._close_raw()
        return left

    def _play_blocks(self, test: Test, blocks: list[Block], depth: int, left: list[str]) -> None:
        if not blocks:
            return
        before, checkpoint = Snapshot(self.admin), test.checkpoint()
        try:
            checkpoint.__enter__()
        except UsageError:
            return  # an advisory lock
        left += [line for line in before.differences(self.admin) if line.startswith(("table ", "sequence "))]
        here = Snapshot(self.admin)
        if depth > 1:
            self._step(blocks[0][0])
            self._play_blocks(test, blocks[1:], depth - 1, left)
        else:
            for program, leaks in blocks:
                self._step(program, leaks)
                with suppress(UsageError):
                    checkpoint.reset()
                left += _of_application(here.differences(self.admin))
            self._step(*blocks[0])
        with suppress(UsageError):
            checkpoint.__exit__(None, None, None)
        left += _of_application(here.differences(self.admin))

    def _step(self, program: Program, leaks: Iterable[int] = ()) -> None:
        generation = self.run.worker.main.generation
        for seat, statement in program:
            self.seats[seat].execute(statement)
        for number in {seat for seat, _ in program} - set(leaks):
            self.seats[number].end()
        if self.run.worker.main.generation != generation:
            self._close_raw()

    def _close_raw(self) -> None:
        for seat in self.seats[:2]:
            seat.close()

    def reset(self, allowed: tuple[int, ...] = ()) -> Answer:
        """Reset the database once, and return the answer."""
        main = self.run.worker.main
        main.send_reset(allowed)
        return main.answer()

    def differences(self) -> list[str]:
        """How the database differs from its baseline."""
        if self._temporary():
            # They go when their connection's backend has ended: a pool drops such a connection when it is next asked
            # for one, and the backend ends a moment later.
            for seat in self.seats:
                seat.execute("SELECT 1")
                seat.settle()
            deadline = time.monotonic() + 5
            while self._temporary() and time.monotonic() < deadline:
                time.sleep(0.002)
        return self.baseline.differences(self.admin)

    def _temporary(self) -> bool:
        query = "SELECT EXISTS (SELECT FROM pg_class WHERE relpersistence = 't')"
        return self.admin.execute(query).fetchone() == (True,)

    def moved_sequences(self) -> list[str]:
        """Return the connections on which a sequence goes on elsewhere than it did at first; each is asked in turn."""
        pairs = zip(self._next_values(), self.next_values, strict=True)
        return [f"seat {number}: {now}, not {first}" for number, (now, first) in enumerate(pairs) if now != first]

    def _next_values(self) -> list[Result]:
        return self.play([(number, SEQUENCES) for number in range(len(self.seats))])

    def begin_anew(self) -> None:
        """Forget everything after a failure, so that the next program starts from the baseline."""
        for seat in self.seats:
            seat.end()
        self._close_raw()
        self.run.worker.main.discard()
        self.run.worker.ready()

    def close(self) -> None:
        if self._admin is not None:
            self._admin[1].close()
        for seat in self.seats:
            seat.close()
        self.run.close()


def _of_application(differences: Iterable[str]) -> list[str]:
    """Leave out the text of Crucible's own functions, which a layer may have changed."""
    return [line for line in differences if not (line.startswith("pg_proc") and any(name in line for name in WRITTEN))]
