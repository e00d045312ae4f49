"""A test cannot tell a worker database from a plain one: each statement has the same result, or the same SQLSTATE."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from programs import Program, interleaved, programs
from psycopg import sql
from seats import PATIENCE, PLAIN_PLANS, Asynchronous, Orm, Raw, Result, Seat
from sqlalchemy.pool import NullPool
from test_reset import QUICK, THOROUGH
from world import SETTINGS, World

from pytest_crucible.control import marks
from pytest_crucible.recipes import MetadataRecipe
from pytest_crucible.server import Address
from tests.shared.examples import examples


class Twin:
    """The same schema without anything of Crucible's, cloned afresh for each program."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._worker = world.run.worker
        # The worker drops what is named after its database at the end of the run.
        self._plain, self._twin = f"{self._worker.main.name}_plain", f"{self._worker.main.name}_twin"
        self._admin = self._worker.server.connect()
        self._admin.create(self._plain, owner="app", template="template0", clauses=sql.SQL("ENCODING 'UTF8'"))
        with self._worker.redirect.lead_to(self._address(self._plain)):
            MetadataRecipe(SETTINGS).fill()
        self._here = _seats(self._worker.address)
        self._there = _seats(lambda: self._address(self._twin))

    def _address(self, database: str) -> Address:
        return self._admin.address.to(database, user="app")

    def compare(self, program: Program) -> None:
        """Run *program* here and there, without the steps on what only one of the two has: marks."""
        program = [step for step in program if "pg_crucible" not in step[1]]
        here = self._world.play(program, seats=self._here)
        there = self._play(program)
        self.close()
        assert list(zip(program, here, strict=True)) == list(zip(program, there, strict=True))

    def _play(self, program: Program) -> list[Result]:
        self._admin.drop(self._twin)
        self._admin.create(self._twin, owner="app", template=self._plain, clauses=sql.SQL("STRATEGY FILE_COPY"))
        self._admin.copy_rights(self._plain, self._twin)
        with self._worker.redirect.lead_to(self._address(self._twin)):
            results = [self._there[seat].execute(statement) for seat, statement in program]
        # A program may have set another limit, and with it taken Crucible's mark away.
        limit = sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(
            sql.Identifier(self._twin), sql.Literal(marks.MARK)
        )
        self._admin._connection.execute(limit)
        return results

    def close(self, *, for_ever: bool = False) -> None:
        """End every session: what it remembers is no business of the next program's."""
        for seat in (*self._here, *self._there):
            (seat.close if for_ever or isinstance(seat, Raw) else seat.end)()


def _seats(address: Callable[[], Address]) -> tuple[Seat, ...]:
    known = PATIENCE | PLAIN_PLANS
    # Statements that a driver prepares by itself depend on what it ran before.
    query = "?prepared_statement_cache_size=0"
    return (
        Raw(address, known, prepare_threshold=None),
        Raw(address, known),
        Orm(known, poolclass=NullPool),
        Asynchronous(known, query, poolclass=NullPool),
    )


@pytest.fixture(scope="module")
def twin(world: World) -> Iterator[Twin]:
    """Yield the plain database."""
    twin = Twin(world)
    yield twin
    twin.close(for_ever=True)


READ_ONLY = [
    (0, "SET default_transaction_read_only = on"),
    (0, "REINDEX TABLE target"),
    (0, "CLUSTER target USING target_pkey"),
]


def test_commands_of_a_read_only_transaction(twin: Twin):
    """REINDEX and CLUSTER are allowed in one: Crucible takes no note of them there."""
    twin.compare([*READ_ONLY, (1, "INSERT INTO target VALUES (50)"), (1, "SELECT * FROM target ORDER BY 1")])


@settings(QUICK, max_examples=8)
@given(program=programs())
def test_programs_give_the_same_results(twin: Twin, program: Program):
    """Triggers, event triggers and earlier resets show in no row, count, error or value of a sequence."""
    twin.compare(program)


@settings(QUICK, max_examples=6)
@given(program=interleaved())
def test_serializable_transactions_fail_alike(twin: Twin, program: Program):
    """Marks cause no serialization failure, and hide none."""
    twin.compare(program)


@pytest.mark.slow
@settings(THOROUGH, max_examples=examples(500))
@given(program=programs(longest=30))
def test_many_programs_give_the_same_results(twin: Twin, program: Program):
    """As above, with longer programs and other ones each time."""
    twin.compare(program)


@pytest.mark.slow
@settings(THOROUGH, max_examples=examples(500))
@given(program=interleaved())
def test_many_serializable_transactions_fail_alike(twin: Twin, program: Program):
    """As above, and other ones each time."""
    twin.compare(program)
