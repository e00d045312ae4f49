"""The same programs where each table of two rows counts as one with many: it is restored by difference, and by key."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from plain_twin import Twin
from program_checks import QUICK, THOROUGH, check, missed
from programs import LEAKS, Program, interleaved, programs
from world import World

from tests.shared.examples import examples

MANY_ROWS = 1
LOGGED = "SELECT pg_crucible.short(name) FROM pg_crucible.tracked WHERE logged"
KEYED = {
    *("altered", "author", "book", "counter", "egg", "hen", "label", "node", 'other."Se""lect %s 100%"'),
    *("other.author", "parcel_high_5", "parcel_high_9", "parcel_low", "ranked", "secret", "target"),
}


def test_the_tables_with_a_key_are_restored_by_key(world: World):
    """Left out: tables without a primary key, with a date in it, that inherit, or that only a clone can restore."""
    assert {name for (name,) in world.admin.execute(LOGGED)} == KEYED


@settings(QUICK, max_examples=15)
@given(program=programs(), leaks=LEAKS)
def test_every_program_is_put_back(world: World, program: Program, leaks: frozenset[int]):
    """After any program the database equals its baseline, and every sequence goes on from there."""
    check(world, program, leaks)


@pytest.mark.slow
@settings(THOROUGH)
@given(program=programs(longest=30), leaks=LEAKS)
def test_a_thousand_programs_are_put_back(world: World, program: Program, leaks: frozenset[int]):
    """As above, with longer programs and other ones each time."""
    check(world, program, leaks)


@pytest.mark.slow
def test_each_statement_by_itself_is_put_back(world: World):
    """Nothing else in the test hides a change that was missed."""
    assert missed(world) == {}


@settings(QUICK, max_examples=8)
@given(program=programs())
def test_programs_give_the_same_results(twin: Twin, program: Program):
    """The triggers that log keys show in no row, count, error or value of a sequence."""
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
    """The log causes no serialization failure, and hides none."""
    twin.compare(program)
