"""What resets leave behind does not grow: the last test is put back as fast as the first."""

from __future__ import annotations

import pytest
from world import World

# What a test may do a thousand times over: commit, roll back, make a temporary table, use a sequence.
ROUND = [
    "INSERT INTO author (name) SELECT 'bulk ' || i FROM generate_series(1, 20) i",
    "UPDATE measure SET val = val + 1",
    "DELETE FROM flow",
    "SELECT nextval('cached_seq')",
    "BEGIN",
    *["INSERT INTO target SELECT i FROM generate_series(100, 120) i ON CONFLICT DO NOTHING"] * 5,
    "UPDATE everything SET m = 'ok'",
    "ROLLBACK",
    "CREATE TEMP TABLE passing (id serial PRIMARY KEY, note text)",
    "DROP TABLE passing",
    # A backend tells of dead rows once a second at most: a fast machine would be past the next sweep by then.
    "SELECT pg_stat_force_next_flush()",
]
SIZES = """
SELECT c.oid::regclass::text, pg_relation_size(c.oid) FROM pg_class c
 WHERE c.relkind IN ('r', 'i', 't', 'm', 'S') AND c.relpersistence <> 't'
"""
# A relation may grow by this much before it is vacuumed, and keeps the space.
ROOM = 512 * 1024
# What a hundred tests, the distance between two sweeps, may leave in rows that were rolled back.
SWEEP = 256 * 1024


def grown(world: World, rounds: int) -> dict[str, int]:
    """Return the relations that *rounds* tests made grow, and by how many bytes."""
    world.play([(0, "SELECT 1")])
    before = dict(world.admin.execute(SIZES).fetchall())
    for _ in range(rounds):
        for statement in ROUND:
            world.seats[0].execute(statement)
        # An idle backend may be in a transaction of its own for a moment, to read what others invalidated.
        while (answer := world.reset()).done == "open":
            pass
        assert answer.done == "reset", answer
    after = dict(world.admin.execute(SIZES).fetchall())
    return {name: size - before.get(name, 0) for name, size in after.items() if size > before.get(name, 0)}


@pytest.mark.slow
def test_a_few_hundred_tests_leave_little(world: World):
    """Dead rows are cleared away, also those that were rolled back, also in the catalog."""
    assert {name: size for name, size in grown(world, 250).items() if size > ROOM} == {}
    world.begin_anew()


@pytest.mark.slow
def test_thousands_of_tests_leave_no_more_than_hundreds(world: World):
    """After 500 tests nothing grows any more, but for what lies between two sweeps: 3,000 would leave megabytes."""
    grown(world, 500)
    assert {name: size for name, size in grown(world, 3000).items() if size > SWEEP} == {}
    world.begin_anew()
