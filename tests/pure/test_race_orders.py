"""The search for orders: each one once, the fewest switches first, and reduction without a lost outcome."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_crucible.races.orders import Diverged, Footprint, Order, Orders, estimate, parse, simpler, token

# A step reads one variable into the actor's sum, or writes the sum into one; a program is a list of steps for each.
STEP = st.tuples(st.sampled_from(["read", "write"]), st.integers(0, 2))
PROGRAMS = st.lists(st.lists(STEP, min_size=1, max_size=3), min_size=2, max_size=3)


def footprint(kind: str, variable: int) -> Footprint:
    one = frozenset([("", variable)])
    return Footprint(one, frozenset()) if kind == "read" else Footprint(frozenset(), one)


def play(program: Sequence[Sequence[tuple[str, int]]], order: Order, *, reduce: bool) -> tuple[object, ...]:
    """Run *program* in *order*, and return the values of its variables and sums at the end."""
    variables, sums, ahead = [1, 10, 100], [0] * len(program), [list(steps) for steps in program]
    while enabled := [actor for actor, steps in enumerate(ahead) if steps]:
        actor = order.choose(enabled)
        kind, variable = ahead[actor].pop(0)
        if kind == "read":
            sums[actor] = sums[actor] * 3 + variables[variable]
        else:
            variables[variable] = sums[actor] * 7 + actor + 1
        order.done(footprint(kind, variable) if reduce else None)
    return (*variables, *sums)


def explored(program: Sequence[Sequence[tuple[str, int]]], *, reduce: bool) -> Iterator[tuple[Order, object]]:
    for order in Orders():
        yield order, play(program, order, reduce=reduce)


@given(PROGRAMS)
@settings(max_examples=30, deadline=None)
def test_each_order_comes_once(program):
    """Without reduction there are as many orders as the multinomial coefficient says, and none comes twice."""
    orders = [tuple(order.actors) for order, _ in explored(program, reduce=False)]
    assert len(set(orders)) == len(orders) == estimate(orders[0])


@given(PROGRAMS)
@settings(max_examples=100, deadline=None)
def test_reduction_loses_no_outcome(program):
    """With reduction the outcomes are the same, in no more orders."""
    every = list(explored(program, reduce=False))
    reduced = list(explored(program, reduce=True))
    assert {outcome for _, outcome in reduced} == {outcome for _, outcome in every}
    assert len(reduced) <= len(every)


def test_independent_steps_are_not_exchanged():
    """Two actors that read the same need one order, and the runs that show it."""
    program = [[("read", 0)] * 3, [("read", 0)] * 3]
    assert len(list(explored(program, reduce=True))) == 4
    assert [order.is_covered for order, _ in explored(program, reduce=True)] == [False, True, True, True]


def test_fewest_switches_first():
    """Orders without a switch come first, then those with one, then those with two; the others are drawn."""
    switches = [order.switches for order, _ in explored([[("write", 0)] * 3] * 2, reduce=False)]
    systematic = [number for number in switches if number <= 2]
    assert systematic == sorted(systematic) == switches[: len(systematic)]
    assert max(switches) == 4


def test_a_limit_of_switches():
    """Orders above the limit are left out, which is noted."""
    orders = Orders(switches=1)
    for order in orders:
        play([[("write", 0)] * 2] * 2, order, reduce=False)
        assert order.switches <= 1
    assert orders.left
    assert orders.waiting == 0


def test_the_draw_depends_on_the_seed():
    """The same seed draws the same orders."""

    def drawn(seed: int) -> list[tuple[int, ...]]:
        orders = []
        for order in Orders(seed):
            play([[("write", 0)] * 4] * 2, order, reduce=False)
            orders.append(tuple(order.actors))
        return orders

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert sorted(drawn(1)) == sorted(drawn(2))


def test_a_beginning_that_cannot_be_followed():
    """The step and the actors that could go on are named."""
    order = Order([0, 0, 1])
    order.choose([0, 1])
    order.done(None)
    with pytest.raises(Diverged) as caught:
        order.choose([1])
    assert (caught.value.step, caught.value.actor, caught.value.enabled) == (1, 0, (1,))


@given(st.lists(st.integers(0, 25), min_size=1))
def test_a_token_is_read_back(actors):
    """The text of an order is that order again."""
    assert list(parse(token(actors))) == actors


@pytest.mark.parametrize("text", ["", "a", "3", "a0", "A1", "a1 b1", "a1b"])
def test_no_token(text):
    """Another text is no order."""
    assert parse(text) is None


def test_simpler_orders():
    """Each has the same steps in fewer runs, those with the fewest runs first."""
    assert simpler(parse("a2b1a1b2") or ()) == [*map(parse, ("a3b3", "a2b3a1", "b1a3b2"))]
    assert simpler(parse("a2b1") or ()) == []
