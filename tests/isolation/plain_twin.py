"""A plain database beside the worker database, on which the same programs run."""

from __future__ import annotations

from collections.abc import Callable

from programs import Program
from psycopg import sql
from seats import PATIENCE, PLAIN_PLANS, Asynchronous, Orm, Raw, Result, Seat
from sqlalchemy.pool import NullPool
from world import SETTINGS, World

from pytest_crucible.control import marks
from pytest_crucible.recipes import MetadataRecipe
from pytest_crucible.server import Address


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
