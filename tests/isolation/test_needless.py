"""DDL that changes nothing costs no clone, and what hides from the marks is found nevertheless."""

from __future__ import annotations

import pytest
from programs import Program, alone, every_third
from world import World


def statements(program: Program) -> str:
    """Return the name of a test: the beginning of its program."""
    return "; ".join(step for _, step in program)[:60]


@pytest.mark.parametrize(
    "program", every_third(alone("needless")), ids=lambda program: "; ".join(step for _, step in program)[:60]
)
def test_needless_ddl_is_no_clone(world: World, program: Program):
    """The catalog is as it was, so rows and sequences are reset and every connection stays."""
    generation = world.run.worker.main.generation
    world.play(program)
    assert world.differences() + world.moved_sequences() == []
    assert world.run.worker.main.generation == generation


@pytest.mark.parametrize(
    "program", every_third(alone("hidden")), ids=lambda program: "; ".join(step for _, step in program)[:60]
)
def test_what_hides_from_the_marks(world: World, program: Program):
    """Whatever the application's role does about triggers, files and partitions, the next test sees nothing of it."""
    world.play(program)
    differences = world.differences() + world.moved_sequences()
    if differences:
        world.begin_anew()
    assert differences == []
