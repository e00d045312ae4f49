"""Whatever a test does, the next one finds the baseline."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from programs import LEAKS, Program, alone, programs
from world import World

from tests.shared.examples import examples

QUICK = settings(
    deadline=None,
    database=None,
    print_blob=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
    max_examples=20,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)
THOROUGH = settings(QUICK, max_examples=examples(1000), derandomize=False)


def check(world: World, program: Program, leaks: frozenset[int]) -> None:
    try:
        world.play(program, leaks)
        assert world.differences() == []
        assert world.moved_sequences() == []
    except BaseException:
        world.begin_anew()
        raise


def missed(world: World) -> dict[str, list[str]]:
    """Return the statements that are not put back by themselves, each with what it left."""
    found = {}
    for program in alone():
        world.play(program)
        left = world.differences() + world.moved_sequences()
        if left:
            found[str(program)] = left
            world.begin_anew()
    return found


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
