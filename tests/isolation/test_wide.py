"""Sessions, threads and children that outlive a test: the next test finds the baseline, and they go on working."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from program_checks import QUICK
from programs import OF_SESSION, ROW_PROGRAMS, Program, _joined, _mix, _steps
from wide import Child, Wide, WideThread
from world import World

from pytest_crucible.isolation import database_reset
from tests.shared.examples import examples

# The numbers of the seats, after the four of the world.
WIDE, THREAD, CHILD = 4, 5, 6
WIDE_SEATS = frozenset({WIDE, THREAD, CHILD})
OF_CHILD = _mix(rows=1)


@st.composite
def _wide_step(draw: st.DrawFn, wide: tuple[int, ...]) -> Program:
    seat = draw(st.sampled_from(wide))
    drawn = draw(OF_CHILD if seat == CHILD else OF_SESSION)
    return [(seat, statement) for statement in drawn.split(" ;; ")]


def wide_programs(longest: int, wide: tuple[int, ...]) -> st.SearchStrategy[Program]:
    """Programs of up to *longest* steps, of which every second is one of a wide seat."""
    step = st.one_of(_steps(ROW_PROGRAMS), _wide_step(wide))
    return st.integers(1, longest).flatmap(lambda n: st.lists(step, min_size=n, max_size=n).map(_joined))


@pytest.fixture(scope="module")
def wide(world: World) -> Iterator[tuple[Wide, WideThread, Child]]:
    """Yield the wide seats, beside those of the world."""
    seats = Wide(), WideThread(world.run.worker.redirect), Child()
    with pytest.MonkeyPatch.context() as patch:
        # Every program may leave the thread inside a transaction that never ends by itself.
        patch.setattr(database_reset, "BUSY_SECONDS", 0.01)
        patch.setattr(database_reset, "LOOKS", (0.001,))
        yield seats
    for seat in seats:
        seat.close()


def check(world: World, wide: tuple[Wide, WideThread, Child], program: Program) -> None:
    try:
        world.play(program, WIDE_SEATS, seats=(*world.seats, *wide))
        left = world.differences()
        assert [each for each in left if not each.startswith("sequence ")] == []
        assert left or world.moved_sequences() == []
        assert [seat.trouble() for seat in wide] == [None, None, None]
        if world.differences():  # a sequence is reset after the open transaction that uses it
            for seat in wide:
                seat.execute("ROLLBACK")
            world.play([])
        assert world.differences() == []
    except BaseException:
        for seat in wide:
            seat.execute("ROLLBACK")
        world.begin_anew()
        raise


@pytest.mark.slow
@settings(QUICK, max_examples=8)
@given(program=wide_programs(12, (WIDE, THREAD)))
def test_wide_owners(world: World, wide: tuple[Wide, WideThread, Child], program: Program):
    """Whatever a wide session or a wide thread leaves open, the database equals its baseline, and they go on."""
    check(world, wide, program)


# SQLAlchemy's callback of an object that is collected after a rollback in another thread may fail on its missing key.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
@settings(QUICK, max_examples=examples(1000))
@given(program=wide_programs(20, (WIDE, WIDE, WIDE, THREAD, THREAD, THREAD, CHILD)))
def test_more_programs_with_wide_owners(world: World, wide: tuple[Wide, WideThread, Child], program: Program):
    """As above, with longer programs, and children that write."""
    check(world, wide, program)
