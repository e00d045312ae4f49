"""Programs that only engines run: the reset goes on after a test's end, and the next test finds the baseline."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from program_checks import QUICK, THOROUGH, check
from programs import LEAKS, Program, programs
from world import World


@pytest.mark.slow
@settings(QUICK)
@given(program=programs(), leaks=LEAKS)
def test_every_program_is_put_back(engines: World, program: Program, leaks: frozenset[int]):
    """After any program the database equals its baseline, and every sequence goes on from there."""
    check(engines, program, leaks)


@pytest.mark.slow
@settings(THOROUGH)
@given(program=programs(longest=30), leaks=LEAKS)
def test_a_thousand_programs_are_put_back(engines: World, program: Program, leaks: frozenset[int]):
    """As above, with longer programs and other ones each time."""
    check(engines, program, leaks)


def test_most_resets_go_on_after_the_end(engines: World):
    """A program that leaves nothing open does not wait for its reset."""
    before = engines.late
    for _ in range(10):
        engines.play([(2, "INSERT INTO lone VALUES ('late')"), (3, "INSERT INTO audit VALUES ('late')")])
        assert engines.differences() == []
    assert engines.late == before + 10
