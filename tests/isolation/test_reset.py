"""Whatever a test does, the next one finds the baseline."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from program_checks import QUICK, THOROUGH, check, missed
from programs import LEAKS, Program, programs
from world import World


@settings(QUICK)
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
