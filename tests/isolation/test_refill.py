"""Tables with seeds: a reset inserts their rows again only if one of them has changed or is missing."""

from __future__ import annotations

import pytest
from world import World

# "author" and "counter" have columns that are named as variables of the reset.
TABLES = ("author", "counter", "node", "other.author", "measure_south_0")
ADDED = [
    (0, "INSERT INTO author (name) VALUES ('new')"),
    (0, "INSERT INTO counter VALUES ('new', 1)"),
    (0, "INSERT INTO node VALUES (50)"),
    (0, "INSERT INTO other.author (name) VALUES ('new')"),
]
CHANGED = {
    "update": "UPDATE author SET name = 'x' WHERE id = 3",
    "update of every row": "UPDATE author SET name = name",
    "delete": "DELETE FROM author WHERE id = 3",
    "delete of all": "DELETE FROM author",
    "truncate": "TRUNCATE author CASCADE",
    "the same row again": "WITH gone AS (DELETE FROM author WHERE id = 3 RETURNING *)"
    " INSERT INTO author SELECT * FROM gone",
    "one for another": "WITH gone AS (DELETE FROM author WHERE id = 3) INSERT INTO author (name) VALUES ('y')",
    "a merge": "MERGE INTO author a USING (VALUES (3, 'x'), (90, 'y')) v (id, name) ON a.id = v.id"
    " WHEN MATCHED THEN UPDATE SET name = v.name WHEN NOT MATCHED THEN INSERT (id, name) VALUES (v.id, v.name)",
}


def versions(world: World) -> dict[str, list[tuple[str, str]]]:
    """Return the position and the transaction of every row of the tables."""
    query = "SELECT ctid::text, xmin::text FROM ONLY {} ORDER BY ctid"
    return {table: world.admin.execute(query.format(table)).fetchall() for table in TABLES}


def in_order(world: World) -> list[int]:
    """Return the keys of the authors in their physical order."""
    return [key for (key,) in world.admin.execute("SELECT id FROM author").fetchall()]


@pytest.fixture
def refilled(world: World) -> World:
    """Yield the world after a reset that has inserted the rows of the tables."""
    world.play([*ADDED, (0, "UPDATE author SET name = 'x'")])
    return world


def test_rows_that_were_only_added_are_deleted(refilled: World):
    """The baseline's rows stay: neither their positions nor the transactions that inserted them change."""
    before, generation = versions(refilled), refilled.run.worker.main.generation
    refilled.play(ADDED)
    assert versions(refilled) == before
    assert refilled.differences() + refilled.moved_sequences() == []
    assert refilled.run.worker.main.generation == generation


@pytest.mark.parametrize("kind", CHANGED)
def test_a_changed_row_brings_all_rows_back_in_their_order(refilled: World, kind: str):
    """Whatever a test does to the baseline's rows, the next test finds them as they were, in their order."""
    before, generation = in_order(refilled), refilled.run.worker.main.generation
    for program in ([(0, CHANGED[kind])], ADDED, [*ADDED, (0, CHANGED[kind])]):
        refilled.play(program)
        assert refilled.differences() == []
        assert in_order(refilled) == before
    assert refilled.run.worker.main.generation == generation


def test_a_change_that_is_rolled_back_changes_nothing(refilled: World):
    """A row version of an aborted transaction is not a row, and the baseline's rows stay."""
    before = versions(refilled)
    refilled.play([(0, "BEGIN"), (0, "DELETE FROM author"), (0, "DELETE FROM counter"), (0, "ROLLBACK"), *ADDED])
    assert versions(refilled) == before
    assert refilled.differences() == []


def test_a_locked_row_is_unchanged(refilled: World):
    """FOR UPDATE writes to a row's header, and to no value."""
    before = versions(refilled)
    refilled.play([(0, "BEGIN"), (0, "SELECT * FROM author FOR UPDATE"), (0, "COMMIT"), *ADDED])
    assert versions(refilled) == before
    assert refilled.differences() == []


def test_rows_of_a_frozen_table_are_known(refilled: World):
    """VACUUM FREEZE leaves the transaction that inserted a row in its header."""
    before = versions(refilled)
    refilled.admin.execute("VACUUM FREEZE author")
    refilled.play(ADDED)
    assert versions(refilled) == before
    assert refilled.differences() == []
