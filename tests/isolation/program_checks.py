"""How random programs are run, and checked against the baseline."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings
from programs import Program, alone
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
