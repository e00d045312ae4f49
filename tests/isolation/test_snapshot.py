"""The comparison itself: it sees every kind of change, so that an empty answer means something."""

from __future__ import annotations

import psycopg
import pytest
from programs import every_third
from world import World

# Done by the administrator, whose writes leave no marks: no reset would put them back.
CHANGES = [
    "UPDATE author SET name = name || '!' WHERE id = 1",
    "INSERT INTO lone VALUES ('one')",
    "UPDATE everything SET f8 = '0' WHERE f8 = '-0'",
    'UPDATE everything SET j = \'{"a": 1, "a": 2}\' WHERE id = 100',
    "SELECT nextval('plain_seq')",
    "SELECT setval('used_seq', 7, true), setval('plain_seq', 1, true)",
    "SELECT lo_put(60002, 4000, 'y')",
    "SELECT lo_create(70000)",
    "GRANT SELECT ON hen TO reader",
    "GRANT UPDATE (v) ON target TO reader",
    "COMMENT ON COLUMN hen.egg IS 'x'",
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader",
    "ALTER TYPE mood ADD VALUE 'furious'",
    "ALTER TABLE target ALTER COLUMN n SET DEFAULT 1",
    "ALTER TABLE target ALTER COLUMN v SET STORAGE EXTERNAL",
    "ALTER POLICY mine ON secret USING (true)",
    "ALTER FUNCTION rate() STABLE",
    "ALTER TABLE book DISABLE TRIGGER book_audit",
    "CREATE SCHEMA one_more",
    "ALTER TABLE hollow OWNER TO reader",
    "DROP PUBLICATION changes",
    "REFRESH MATERIALIZED VIEW totals; DELETE FROM book; REFRESH MATERIALIZED VIEW totals",
    "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''5MB''', current_database()); END $$",
    "DO $$ BEGIN EXECUTE format('ALTER ROLE app IN DATABASE %I SET work_mem = ''5MB''', current_database()); END $$",
    "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO reader', current_database()); END $$",
    "DO $$ BEGIN EXECUTE format('COMMENT ON DATABASE %I IS ''x''', current_database()); END $$",
]


@pytest.mark.parametrize("change", every_third(CHANGES))
def test_a_change_is_seen(world: World, change: str):
    """Whatever changes is found by comparing with the baseline."""
    assert world.differences() == []
    with psycopg.connect(**world.run.worker.connect().address.libpq(), autocommit=True) as connection:
        connection.execute("SET pg_crucible.own = on")
        connection.execute(change)
    try:
        assert world.differences() != []
    finally:
        world.begin_anew()


def test_a_clone_equals_the_baseline(world: World):
    """A fresh clone differs in nothing from the one that came before it."""
    world.begin_anew()
    assert world.differences() + world.moved_sequences() == []
