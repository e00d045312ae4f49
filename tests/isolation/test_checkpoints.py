"""Whatever runs in a checkpoint, its end finds the state of its begin, and the next test the baseline."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from program_checks import QUICK
from programs import LEAKS, ROW_PROGRAMS, ROWS, Program, _joined, _mix, _steps
from world import Block, World

from tests.shared.examples import examples

# Temporary objects belong to their session, and so do their catalog entries.
PROGRAMS = (ROW_PROGRAMS, ROW_PROGRAMS, _mix(**ROWS, large=1, schema=2))


def programs(longest: int) -> st.SearchStrategy[Program]:
    """Programs of up to *longest* steps."""
    return st.tuples(st.sampled_from(PROGRAMS), st.integers(0, longest)).flatmap(
        lambda drawn: st.lists(_steps(drawn[0]), min_size=drawn[1], max_size=drawn[1]).map(_joined)
    )


def blocks(longest: int) -> st.SearchStrategy[list[Block]]:
    """Programs of checkpoints, with the seats whose transactions they leave open."""
    return st.lists(st.tuples(programs(longest), LEAKS), min_size=1, max_size=3)


def check(world: World, before: Program, blocks: list[Block], depth: int) -> None:
    try:
        assert world.play_blocks(before, blocks, depth=depth) == []
        assert world.differences() == []
        assert world.moved_sequences() == []
    except BaseException:
        world.begin_anew()
        raise


@pytest.mark.slow
@settings(QUICK, max_examples=6)
@given(before=programs(6), blocks=blocks(6), depth=st.integers(1, 2))
def test_every_block_is_put_back(world: World, before: Program, blocks: list[Block], depth: int):
    """Each round and the end of each block equal its begin; after the test the database equals its baseline."""
    check(world, before, blocks, depth)


@pytest.mark.slow
@settings(QUICK, max_examples=examples(300), derandomize=False)
@given(before=programs(12), blocks=blocks(12), depth=st.integers(1, 3))
def test_many_blocks_are_put_back(world: World, before: Program, blocks: list[Block], depth: int):
    """As above, with longer programs, deeper blocks, and other ones each time."""
    check(world, before, blocks, depth)
