"""Which statements change a session's state, and whether it differs from that after the connect in the end."""

from __future__ import annotations

import pytest

from pytest_crucible.redirect.session_state import End, SessionState
from pytest_crucible.redirect.statements import steps_in


def state_after(*statements: str, begun: tuple[str, ...] = (), parameters: tuple[object, ...] = ()) -> SessionState:
    """Return the state after *begun*, the baseline, and *statements*, each in autocommit mode unless BEGIN ran."""
    state = SessionState()
    in_transaction = False
    for number, statement in enumerate((*begun, *statements)):
        if number == len(begun):
            state.begin()
        in_transaction = statement == "BEGIN" or in_transaction
        state.note(steps_in(statement), parameters, in_transaction=in_transaction)
        in_transaction = in_transaction and statement not in ("COMMIT", "ROLLBACK")
    if not statements:
        state.begin()
    return state


ALTERING = """
SET timezone TO 'Asia/Tokyo'
set Session timezone = 'Asia/Tokyo'
SET TIME ZONE 'Asia/Tokyo'
SET app.tenant = '7'
SET "app"."tenant" = '7'
SET search_path TO one, two
SET SCHEMA 'one'
SET NAMES 'latin1'
SET ROLE auditor
SET role = auditor
SET SESSION AUTHORIZATION auditor
SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY
SET app.tenant = %s
SELECT set_config('app.tenant', '7', false)
SELECT pg_catalog.SET_CONFIG('app.tenant', coalesce($1, f(1, 'x')), 'f')
SELECT set_config($1, $2, $3)
SELECT id, set_config('a.b', name, true), set_config('c.d', name, false) FROM t
WITH c AS (SELECT set_config(setting_name => 'a.b', new_value => '1', is_local => false)) SELECT 1
LISTEN news
-- why\\n LISTEN news
/* app:listener */ LISTEN news
PREPARE one AS SELECT 1
DECLARE one CURSOR WITH HOLD FOR SELECT 1
DECLARE "one" NO SCROLL CURSOR WITH HOLD FOR SELECT 1
DO $$ BEGIN EXECUTE 'LISTEN news'; END $$
DO LANGUAGE plpgsql 'BEGIN NULL; END'
SELECT 1; SET timezone TO 'Asia/Tokyo'
SET timezone TO 'Asia/Tokyo'; RESET timezone
"""
HARMLESS = """
SELECT 1
SELECT 1;
SET LOCAL timezone = 'Asia/Tokyo'
SET TRANSACTION READ ONLY
SET CONSTRAINTS ALL DEFERRED
SET TIME ZONE LOCAL
SET timezone TO DEFAULT
SET ROLE NONE
RESET ALL
RESET timezone
DISCARD TEMP
DISCARD ALL
UNLISTEN *
DEALLOCATE ALL
DEALLOCATE PREPARE one
CLOSE ALL
PREPARE TRANSACTION 'one'
COMMIT PREPARED 'one'
ROLLBACK PREPARED 'one'
DECLARE one CURSOR FOR SELECT 1
SELECT set_config('app.tenant', '7', true)
SELECT set_config('app.tenant', coalesce($1, f(1, 'x')), is_local => 't'::bool)
INSERT INTO t VALUES ('SET timezone TO UTC') ON CONFLICT DO NOTHING
UPDATE t SET name = 'x'
SELECT settings FROM listen
""" + "".join(f"{word}\n" for word in ("BEGIN", "COMMIT", "ROLLBACK", "ROLLBACK TO SAVEPOINT one", ""))


def lines(text: str) -> list[str]:
    return [line.replace("\\n", "\n") for line in text.splitlines()[1:]]


@pytest.mark.parametrize("statement", lines(ALTERING))
def test_altering(statement):
    """The connection keeps what these do."""
    assert state_after(statement).is_altered


@pytest.mark.parametrize("statement", lines(HARMLESS))
def test_harmless(statement):
    """The connection is as it was after these."""
    assert not state_after(statement).is_altered


PAIRS = [
    ("SET timezone TO 'UTC'", "RESET timezone"),
    ("SET TIME ZONE 'UTC'", "RESET TIME ZONE"),
    ('SET "TimeZone" TO 1', "SET TIME ZONE DEFAULT"),
    ("SET SCHEMA 'one'", "SET search_path TO DEFAULT"),
    ("SET app.tenant = 7", "reset all"),
    ("SET ROLE one", "RESET ROLE"),
    ("SET SESSION AUTHORIZATION one", "RESET SESSION AUTHORIZATION"),
    ("SET ROLE one", "SET SESSION AUTHORIZATION DEFAULT"),
    ("SELECT set_config('app.tenant', $1, false)", "RESET app.tenant"),
    ("SELECT set_config($1, $2, false)", "RESET ALL"),
    ("LISTEN news", "UNLISTEN NEWS"),
    ('LISTEN "News"', 'UNLISTEN "News"'),
    ("LISTEN news", "UNLISTEN *"),
    ("PREPARE one AS SELECT 1", "DEALLOCATE one"),
    ("DECLARE one CURSOR WITH HOLD FOR SELECT 1", "CLOSE one"),
    ("DO $$ BEGIN END $$", "DISCARD ALL"),
]


@pytest.mark.parametrize(("do", "undo"), PAIRS)
def test_undone(do, undo):
    """What is undone leaves nothing; one that was there from the start is missing then."""
    assert not state_after(do, undo).is_altered
    assert not state_after("BEGIN", do, "COMMIT", "BEGIN", undo, "COMMIT").is_altered
    assert not state_after(begun=(do,)).is_altered
    assert state_after(undo, begun=(do,)).is_altered


def test_not_everything_is_undone():
    """RESET ALL keeps roles and listeners, UNLISTEN other channels."""
    assert state_after("SET ROLE one", "RESET ALL").is_altered
    assert state_after("LISTEN one", "RESET ALL").is_altered
    assert state_after("LISTEN one", "LISTEN two", "UNLISTEN one").is_altered


def test_the_value_of_the_start():
    """A setting that has its first value again is as it was, unless that came as a parameter."""
    assert not state_after("SET a.b = 2", "SET a.b TO 1", begun=("SET a.b = 1",)).is_altered
    assert state_after("SET a.b = %s", begun=("SET a.b = %s",)).is_altered
    assert not state_after("SELECT 1", begun=("SET a.b = %s",)).is_altered


def test_rolled_back():
    """A rollback undoes a change, and the undoing of one."""
    assert not state_after("BEGIN", "SET a.b = 1", "ROLLBACK").is_altered
    assert not state_after("BEGIN", "DO $$ $$", "LISTEN news", "ABORT").is_altered
    assert state_after("SET a.b = 1", "BEGIN", "RESET a.b", "ROLLBACK").is_altered
    assert state_after("BEGIN", "PREPARE one AS SELECT 1", "ROLLBACK").is_altered


def test_rolled_back_to_a_savepoint():
    """What a savepoint may have undone counts as altered."""
    assert state_after("SET a.b = 1", "BEGIN", "SAVEPOINT s", "RESET a.b", "ROLLBACK WORK TO s", "COMMIT").is_altered
    assert state_after("BEGIN", "SET a.b = 1", "SAVEPOINT s", "ROLLBACK TO s", "COMMIT").is_altered
    assert not state_after("BEGIN", "SET a.b = 1", "ROLLBACK TO s", "ROLLBACK").is_altered


def test_an_end_that_was_not_seen():
    """While it is unknown how a transaction ended, its changes count, and those that it took away count too."""
    assert state_after("BEGIN", "SET a.b = 1").is_altered
    assert state_after("SET a.b = 1", "BEGIN", "RESET a.b").is_altered


@pytest.mark.parametrize(("parameters", "altered"), [((True,), False), ((False,), True), (("v", 1), True)])
def test_local_by_parameter(parameters, altered):
    """Whether set_config() is local may come as a parameter; in doubt it is not."""
    statement = "SELECT set_config('app.tenant', %(value)s, %(local)s)"
    assert state_after(statement, parameters=parameters).is_altered is altered


def test_a_long_text_is_not_kept():
    """A text of megabytes is read, and read again."""
    text = f"SET a.b = 1; {'SELECT 1;' * 1000}"
    assert steps_in(text) == steps_in(text)
    assert steps_in(text) is not steps_in(text)
    assert End.COMMIT not in steps_in(text)
