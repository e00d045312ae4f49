"""Walks go on in one database as long as they leave it as it was, and never find what another walk has done."""

from __future__ import annotations

from contextlib import suppress
from unittest import SkipTest

import pytest

from pytest_crucible.errors import MigrationError
from pytest_crucible.migrations import checks, contents


@pytest.fixture
def one(scripts):
    """One revision: a table with two rows, of which no model knows."""
    users = "Create TABLE users (id serial PRIMARY KEY, name text); Insert INTO users (name) VALUES ('ada'), ('eve')"
    scripts.revision("one", users, "Drop TABLE users")
    return scripts


def some_slow(cases):
    """Return the names of *cases*, every second one marked as slow."""
    return [pytest.param(name, marks=pytest.mark.slow if number % 2 else ()) for number, name in enumerate(cases)]


def walked(migrations):
    """Return what the two checks that walk find in each revision: nothing, or the beginning of the message."""
    found = {}
    for revision in migrations.revisions.all:
        for check in (checks.test_stairway, checks.test_downgrade_leaves_no_trace):
            try:
                check(migrations, revision.id)
            except (MigrationError, SkipTest) as error:
                found[revision.id] = [*found.get(revision.id, []), str(error).splitlines()[0]]
    return found


def test_one_database(one, checked):
    """Revisions with rows are walked in one database, beside the one that others are copied from."""
    one.revision("two", "Create TABLE pets (id int)", "Drop TABLE pets", parent="one")
    one.revision("three", "pass", "raise NotImplementedError", parent="two")
    migrations = checked()
    names = {migrations.walked_at().name}
    for revision in migrations.revisions.all:
        with suppress(SkipTest):
            checks.test_stairway(migrations, revision.id)
        names.add(migrations.walked_at(revision.id).name)
    assert len(names) == 1
    assert len(one.databases()) == 2
    migrations.close()
    assert one.databases() == set()


IF_ANY = "Do $$ BEGIN IF EXISTS (SELECT FROM users) THEN RAISE 'there are rows'; END IF; END $$"
UNLESS_ANY = "Do $$ BEGIN IF NOT EXISTS (SELECT FROM users) THEN RAISE 'there are none'; END IF; END $$"
UNLESS_TWO = "Do $$ BEGIN IF (SELECT last_value FROM users_id_seq) <> 2 THEN RAISE 'not two'; END IF; END $$"
# What the second revision does and undoes, and what the third one does and undoes.
LOSSES = {
    "an upgrade needs the rows": ("Select 1", "Delete FROM users", UNLESS_ANY, "Select 1", None),
    "a downgrade needs the rows": ("Select 1", "Truncate users", "Select 1", UNLESS_ANY, None),
    "a downgrade fails on the rows": ("Select 1", "Delete FROM users", "Select 1", IF_ANY, "there are rows"),
    "an upgrade needs the order of the columns": (
        "Alter TABLE users ALTER id DROP DEFAULT",
        "Alter TABLE users DROP id; Alter TABLE users ADD id serial PRIMARY KEY",
        "Insert INTO users VALUES (7, 'bob')",
        "Delete FROM users WHERE id = 7",
        None,
    ),
    "an upgrade needs the sequence": ("Select 1", "Select nextval('users_id_seq')", UNLESS_TWO, "Select 1", None),
    # Large objects are not compared: the upgrade is tried once more where only upgrades have been.
    "an upgrade needs what nobody sees": (
        "Select lo_create(4711) WHERE NOT EXISTS (SELECT FROM pg_largeobject_metadata WHERE oid = 4712)",
        "Select lo_unlink(4711), lo_create(4712)",
        "Select lo_get(4711)",
        "Select 1",
        None,
    ),
}


@pytest.mark.parametrize("loss", some_slow(LOSSES))
def test_what_a_downgrade_loses(one, checked, loss):
    """What a revision's downgrade loses changes no result of a later revision, and no copy."""
    *scripts, expected = LOSSES[loss]
    one.revision("two", *scripts[:2], parent="one")
    one.revision("three", *scripts[2:], parent="two")
    migrations = checked()
    found = walked(migrations).get("three")
    assert (found is None) if expected is None else all(expected in line for line in found)
    with migrations.copy("two") as database:
        assert database.execute("SELECT name FROM users ORDER BY name") == [("ada",), ("eve",)]


HALF = 'with op.get_context().autocommit_block():\n        op.execute("DROP TABLE pets")\n'
PETS = "Create TABLE pets (id int)"
FAILURES = {
    "the downgrade fails": (PETS, "Drop TABLE pet", 'table "pet" does not exist'),
    "the downgrade is half done": (PETS, HALF + "raise KeyError", "KeyError"),
    "a downgrade that says it cannot be done is half done": (PETS, HALF + "raise NotImplementedError", "undone"),
    "the upgrade cannot be repeated": (PETS, "pass", "leaves traces|not again"),
    "the upgrade makes something else": (
        PETS + "; Create INDEX IF NOT EXISTS by_name ON users (name)",
        "Drop TABLE pets; Drop INDEX by_name; Create INDEX by_name ON users (id)",
        "leaves traces|one schema",
    ),
}


@pytest.mark.parametrize("failure", some_slow(FAILURES))
def test_a_walk_that_fails(one, checked, failure):
    """Later revisions are walked as if it had not been, and the failing one fails alike alone."""
    upgrade, downgrade, expected = FAILURES[failure]
    one.revision("two", upgrade, downgrade, parent="one")
    one.revision("three", "Alter TABLE pets ADD age int", "Alter TABLE pets DROP age", parent="two")
    migrations = checked()
    found = walked(migrations)
    assert list(found) == ["two"]
    for check in (checks.test_stairway, checks.test_downgrade_leaves_no_trace):
        with pytest.raises((MigrationError, SkipTest), match=expected):
            check(migrations, "two")


# -- contents --------------------------------------------------------------------------------------------------------


def test_contents(one, checked):
    """They change with every row, whatever the table's name is, and not with the order of rows."""
    one.revision("two", """Create TABLE "we're % {here}" (t int)""", parent="one")
    with checked().copy("two") as database:
        before = database.contents()
        database.execute("UPDATE users SET name = name")
        assert database.contents() == before
        database.execute("""INSERT INTO "we're % {here}" VALUES (1)""")
        assert database.contents() != before
        database.execute('''DELETE FROM "we're % {here}"''')
        assert database.contents() == before
        database.execute("UPDATE users SET name = 'eva' WHERE name = 'eve'")
        assert database.contents() != before


@pytest.mark.slow
def test_more_than_can_be_compared(one, checked, monkeypatch):
    """Where reading the rows would cost more than a copy, or is not allowed, each walk gets a copy of its own."""
    one.revision("two", "Create TABLE pets (id int)", "Drop TABLE pets", parent="one")
    monkeypatch.setattr(contents, "MOST_BYTES", 8192)
    migrations = checked()
    assert walked(migrations) == {}
    with migrations.copy("one") as database:
        assert database.contents() is None
    assert len(one.databases()) == 1
