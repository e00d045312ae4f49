"""Each rule of reduction is needed: without it, a small program loses an outcome."""

from __future__ import annotations

import pytest
from programs import Actor, outcomes

from pytest_crucible.races import footprints
from pytest_crucible.races.footprints import Footprints
from pytest_crucible.races.orders import Footprint

READ = "SELECT n FROM accounts WHERE id = 1"
WRITE = "UPDATE accounts SET n = n + 1 WHERE id = 1"
READ_2 = "SELECT n FROM accounts WHERE id = 2"
WRITE_2 = "UPDATE accounts SET n = n * 2 WHERE id = 2"
TRY = "SELECT pg_try_advisory_xact_lock(1)"
COUNT = "UPDATE counters SET n = n + 1"
NEXT = "SELECT nextval('numbers')"
LAST = "SELECT last_value, is_called FROM numbers"
NOTIFY = "NOTIFY news, '$who'"
LOG = "INSERT INTO log (who, at) VALUES ('$who', now())"


def without_rule(name):
    def drop(patch):
        patch.setattr(footprints, "RULES", [rule for rule in footprints.RULES if rule.__name__ != name])

    return drop


def without_commits(patch):
    patch.setattr(Footprints, "_end", staticmethod(lambda transaction, *, others_wait: transaction))


def without_waits(patch):
    end = Footprints._end
    patch.setattr(Footprints, "_end", staticmethod(lambda transaction, *, others_wait: end(transaction, others_wait=False)))


def without_clock(patch):
    patch.setattr(Footprints, "uses_clock", property(lambda self: False, lambda self, value: None), raising=False)


def without_reads(patch):
    patch.setattr(Footprint, "meets", lambda one, other: bool(one.writes & other.writes))


def without_writes(patch):
    patch.setattr(Footprint, "meets", lambda one, other: bool(one.writes & other.reads or one.reads & other.writes))


RULES = {
    "two writes": (without_writes, [Actor([WRITE], "REPEATABLE READ"), Actor([WRITE])]),
    "a read and a write": (without_reads, [Actor([LAST]), Actor([NEXT, NEXT])]),
    "commits": (without_commits, [Actor(["INSERT INTO watched VALUES ('$who')"]), Actor([WRITE, "commit", WRITE])]),
    "statements outside a transaction": (
        without_rule("is_outside"),
        [Actor([READ]), Actor([WRITE, WRITE], "AUTOCOMMIT")],
    ),
    "locks of tables": (
        without_rule("has_other_locks"),
        [Actor([COUNT, "LOCK TABLE accounts IN SHARE MODE"]), Actor([WRITE, COUNT])],
    ),
    "the clock": (without_clock, [Actor([READ, LOG]), Actor([READ, LOG])]),
    "waits for a commit": (
        without_waits,
        [
            Actor([READ]),
            Actor([f"{NEXT}; LOCK TABLE accounts; {NEXT}", "UPDATE tags SET n = 5"]),
            Actor([LAST, "SELECT n FROM tags"]),
        ],
    ),
    "text": (
        without_rule("names_unseen_effects"),
        [Actor([NOTIFY]), Actor([NOTIFY, "commit", NOTIFY])],
    ),
}


# What these rules are for is dependent by another rule as well, as far as programs are known.
SAFE = {
    "failed statements": [Actor([NEXT, "SELECT 1 / (last_value - 2) FROM numbers"]), Actor([NEXT, NEXT, NEXT])],
    "nowait": [Actor([WRITE]), Actor([READ, f"{READ} FOR UPDATE NOWAIT"])],
    "skip locked": [Actor([WRITE]), Actor([READ, f"{READ} FOR UPDATE SKIP LOCKED"])],
    "try-locks": [Actor([READ, TRY]), Actor([TRY, READ])],
    "savepoints": [Actor([f"undo {WRITE}"]), Actor([f"{READ} FOR UPDATE NOWAIT"])],
    "write skew": [Actor([READ, WRITE_2], "SERIALIZABLE"), Actor([READ_2, WRITE], "SERIALIZABLE")],
    "notify before a read": [Actor([NOTIFY, READ]), Actor([NOTIFY, READ])],
    "a snapshot": [Actor([READ_2, READ], "REPEATABLE READ"), Actor([WRITE, WRITE_2])],
    "deferred constraints": [Actor(["INSERT INTO late VALUES (3)"]), Actor(["INSERT INTO accounts VALUES (3, 30)"])],
}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_needed(race, monkeypatch, rule):
    """With the rule no outcome is lost; without it, one is."""
    drop, actors = RULES[rule]
    every = outcomes(race, actors, reduce=False)
    reduced = outcomes(race, actors, reduce=True)
    drop(monkeypatch)
    less = outcomes(race, actors, reduce=True)
    assert every.is_exhaustive
    assert reduced.is_exhaustive
    assert reduced.found == every.found
    assert less.found < every.found


@pytest.mark.parametrize("name", SAFE)
def test_no_outcome_is_lost(race, name):
    """Reduction loses no outcome of a program on the edge of a rule."""
    every = outcomes(race, SAFE[name], reduce=False)
    assert outcomes(race, SAFE[name], reduce=True).found == every.found
    assert every.is_exhaustive
