"""Programs that were once not put back, each with what was to blame."""

from __future__ import annotations

import threading

import psycopg
import pytest
from programs import Program
from world import World

FOUND: dict[str, Program] = {
    # No event trigger tells of CLUSTER, which writes down the index that it used.
    "clustered": [(0, "CLUSTER target USING target_pkey")],
    # Nor of a note on the database itself, which is a shared object.
    "noted": [(0, "DO $$ BEGIN EXECUTE format('COMMENT ON DATABASE %I IS ''n''', current_database()); END $$")],
    # Nor of a limit of connections, in whose place Crucible has its mark.
    "limited": [(0, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 50', current_database()); END $$")],
    # What works CONCURRENTLY commits before it fails, and then no event trigger runs.
    "index left invalid": [(0, "CREATE UNIQUE INDEX CONCURRENTLY left_over ON lone (x)")],
    "index half dropped": [
        (1, "BEGIN"), (1, "SELECT count(*) FROM book"), (0, "DROP INDEX CONCURRENTLY book_title"), (1, "COMMIT"),
    ],
    "partition half detached": [
        (1, "BEGIN"), (1, "SELECT count(*) FROM shelf"),
        (0, "ALTER TABLE shelf DETACH PARTITION shelf_1 CONCURRENTLY"), (1, "COMMIT"),
    ],
    # One session keeps values of a sequence that another one sets back to where it was.
    "values kept by a session": [
        (0, "SELECT nextval('cached_seq')"), (1, "SELECT setval('cached_seq', 1, false)"),
    ],
    # A stored column whose function has changed since its rows were written.
    "stored values computed anew": [(0, "INSERT INTO taxed (net) VALUES (1)")],
    # x alone would be that column, not the row.
    "a column named as an alias": [(0, "DELETE FROM other.author"), (0, "DELETE FROM lone"), (0, "DELETE FROM city")],
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND)
def test_is_put_back(world: World, name: str):
    """What was once missed is put back, or leads to a fresh clone."""
    world.play(FOUND[name])
    differences = world.differences() + world.moved_sequences()
    if differences:
        world.begin_anew()
    assert differences == []


ONE_EACH = [
    "INSERT INTO lone VALUES ('late')", "INSERT INTO audit VALUES ('late')", "INSERT INTO city VALUES (50)",
    "INSERT INTO flow VALUES (NULL)", "INSERT INTO other.author (name) VALUES ('late')", "INSERT INTO node VALUES (50)",
    "INSERT INTO volatile_note (note) VALUES ('late')", "INSERT INTO counter VALUES ('late', 1)",
    "INSERT INTO shelf VALUES (1, 'late')", "INSERT INTO target VALUES (50)", "INSERT INTO hen VALUES (50)",
]  # fmt: skip


def test_a_commit_that_arrives_during_a_reset_is_put_back_by_the_next(world: World):
    """A background task may commit at any moment: what one reset does not see, the next one does."""
    with psycopg.connect(**world.run.worker.address().libpq(), autocommit=True) as background:

        def work() -> None:
            for statement in ONE_EACH:
                background.execute(statement)

        for _ in range(20):
            thread = threading.Thread(target=work)
            thread.start()
            while thread.is_alive():
                world.reset((background.info.backend_pid,))
            thread.join()
            while world.reset().done == "open":
                pass
            assert world.differences() == []
