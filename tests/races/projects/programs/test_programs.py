"""Reduction loses no outcome of generated programs."""

from __future__ import annotations

import os
import random

from generated import Programs
from programs import outcomes

# Steps of a program at most: two actors with three and two statements have 35 orders.
MOST = 7


def test_reduction_loses_no_outcome(race):
    """The outcomes with reduction are those without, and each construct has come in twenty programs."""
    number, seed = int(os.environ.get("PROGRAMS", "10")), int(os.environ.get("SEED", random.randrange(10**6)))
    programs = Programs(seed)
    for _ in range(number):
        actors = programs.draw(MOST)
        every, reduced = (outcomes(race, actors, reduce=reduce) for reduce in (False, True))
        assert reduced.found == every.found, (seed, actors)
        assert every.is_exhaustive, (seed, actors)
        assert reduced.is_exhaustive, (seed, actors)
    print(f"{number} programs from seed {seed}: {sorted(programs.counts.items(), key=lambda item: item[1])}")
    assert number < 200 or min(programs.counts.values()) >= 20
