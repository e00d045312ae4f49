"""Whatever a test does to two databases at once, the next one finds the baseline of both."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import given, settings
from program_checks import QUICK
from programs import LEAKS, Program, programs
from psycopg.rows import tuple_row
from seats import PATIENCE, Asynchronous, Orm, Raw, Seat
from snapshot import Snapshot

from pytest_crucible.errors import LeakWarning
from pytest_crucible.run import Run
from pytest_crucible.settings import Settings

SETTINGS = Settings(
    root=Path(__file__).parent, metadata=("crucible_twin:metadata",), databases=("twin=crucible_twin:metadata",)
)
NAMES = (None, "twin")


class Twins:
    """One run of tests on two databases with the same schema; the main one over psycopg, the other over SQLAlchemy."""

    def __init__(self) -> None:
        self.run = Run(SETTINGS, "15011a7f", "main")
        self.run.worker.redirect.install()
        self.run.worker.server.connect().role("reader")
        self.seats: tuple[Seat, ...] = (
            Raw(self.run.worker.address, PATIENCE),
            Raw(self.run.worker.address, PATIENCE),
            Orm(PATIENCE, url="postgresql+psycopg://app@nowhere.invalid/twin"),
            Asynchronous(PATIENCE, database="twin"),
        )
        self.baselines = [self._with(name, Snapshot) for name in NAMES]

    def _with(self, name: str | None, take):
        self.run.worker.ready(name)
        address = self.run.worker.server.connect().address.to(self.run.worker.names[NAMES.index(name)])
        with psycopg.connect(**address.libpq(), autocommit=True, row_factory=tuple_row) as connection:
            return take(connection)

    def play(self, program: Program, leaks: frozenset[int]) -> None:
        """Run *program* as one test; the seats in *leaks* end nothing themselves."""
        generations = self._generations()
        used = {number for number, _ in program}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LeakWarning)
            with self.run.isolated(self.run.new_test("program", "reset", keep=False)):
                for seat, statement in program:
                    self.seats[seat].execute(statement)
                for number in used - leaks:
                    self.seats[number].end()
        for number in used:
            self.seats[number].settle()
        for name in NAMES:
            self.run.worker.ready(name)
        if self._generations()[0] != generations[0]:
            for seat in self.seats[:2]:  # nobody else tells them that their database is another one
                seat.close()

    def _generations(self) -> list[int]:
        return [database.generation for database in self.run.worker.databases]

    def differences(self) -> list[str]:
        """How the databases differ from their baselines."""
        for seat in self.seats[2:]:  # a pool drops what was condemned when it is next asked
            seat.execute("SELECT 1")
            seat.settle()
        return [
            f"{name}: {line}"
            for name, baseline in zip(NAMES, self.baselines, strict=True)
            for line in self._with(name, baseline.differences)
        ]

    def close(self) -> None:
        for seat in self.seats:
            seat.close()
        self.run.close()


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    """Two worker databases; their server and caches are the tests' own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRUCIBLE_CACHE", str(tmp_path_factory.mktemp("cache")))
        twins = Twins()
        yield twins
        twins.close()


def check(twins: Twins, program: Program, leaks: frozenset[int]) -> None:
    twins.play(program, leaks)
    found = twins.differences()
    if found:
        for database in twins.run.worker.databases:
            database.discard()
    assert found == []


@pytest.mark.slow
@settings(QUICK, max_examples=5)
@given(program=programs(), leaks=LEAKS)
def test_every_program_is_put_back_in_both(twins: Twins, program: Program, leaks: frozenset[int]):
    """Rows, sequences and catalog of both databases equal their baselines after any program."""
    check(twins, program, leaks)


@pytest.mark.slow
@settings(QUICK, max_examples=100, derandomize=False)
@given(program=programs(longest=30), leaks=LEAKS)
def test_a_hundred_programs_are_put_back_in_both(twins: Twins, program: Program, leaks: frozenset[int]):
    """As above, with longer programs and other ones each time."""
    check(twins, program, leaks)
