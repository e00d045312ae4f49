"""A test cannot tell a worker database from a plain one: each statement has the same result, or the same SQLSTATE."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from programs import Program, interleaved, programs
from psycopg import sql
from seats import PATIENCE, PLAIN_PLANS, Asynchronous, Orm, Raw, Result, Seat
from test_reset import QUICK, THOROUGH
from world import SETTINGS, World

from pytest_crucible.recipes import MetadataRecipe
from pytest_crucible.server import Address


class Twin:
    """The same schema without anything of Crucible's, cloned afresh for each program."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._worker = world.run.worker
        # The worker drops what is named after its database at the end of the run.
        self._plain, self._twin = f"{self._worker.database}_plain", f"{self._worker.database}_twin"
        admin = self._worker.admin
        admin.create(self._plain, owner="app", template="template0", words=sql.SQL("ENCODING 'UTF8'"))
        with self._worker.redirect.lead_to(admin.address.to(self._plain, user="app")):
            MetadataRecipe(SETTINGS).fill()

    def compare(self, program: Program) -> None:
        """Run *program* here and there."""
        with _seats(self._worker.address) as seats:
            here = self._world.play(program, seats=seats)
        there = self._play(program)
        assert list(zip(program, here, strict=True)) == list(zip(program, there, strict=True))

    def _play(self, program: Program) -> list[Result]:
        admin = self._worker.admin
        admin.drop(self._twin)
        admin.create(self._twin, owner="app", template=self._plain, words=sql.SQL("STRATEGY FILE_COPY"))
        admin.copy_rights(self._plain, self._twin)
        address = admin.address.to(self._twin, user="app")
        with self._worker.redirect.lead_to(address), _seats(lambda: address) as seats:
            return [seats[seat].execute(statement) for seat, statement in program]


@contextmanager
def _seats(address: Callable[[], Address]) -> Iterator[tuple[Seat, ...]]:
    known = PATIENCE | PLAIN_PLANS
    # Statements that a driver prepares by itself depend on what it ran before.
    query = "?prepared_statement_cache_size=0"
    seats = (Raw(address, known, prepare_threshold=None), Raw(address, known), Orm(known), Asynchronous(known, query))
    try:
        yield seats
    finally:
        for seat in seats:
            seat.close()


@pytest.fixture(scope="module")
def twin(world: World) -> Twin:
    """The plain database."""
    return Twin(world)


@settings(QUICK, max_examples=20)
@given(program=programs())
def test_programs_give_the_same_results(twin: Twin, program: Program):
    """Triggers, event triggers and earlier resets show in no row, count, error or value of a sequence."""
    twin.compare(program)


@settings(QUICK, max_examples=15)
@given(program=interleaved())
def test_serializable_transactions_fail_alike(twin: Twin, program: Program):
    """Marks cause no serialization failure, and hide none."""
    twin.compare(program)


@pytest.mark.slow
@settings(THOROUGH, max_examples=500)
@given(program=programs(longest=30))
def test_many_programs_give_the_same_results(twin: Twin, program: Program):
    """As above, with longer programs and other ones each time."""
    twin.compare(program)


@pytest.mark.slow
@settings(THOROUGH, max_examples=500)
@given(program=interleaved())
def test_many_serializable_transactions_fail_alike(twin: Twin, program: Program):
    """As above, and other ones each time."""
    twin.compare(program)
