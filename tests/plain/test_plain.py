"""What passes under plain pytest on PostgreSQL passes under Crucible: test by test, with no warning more.

The quick tier holds each pair of values of two axes in one process; the slow tier has all, and two processes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from plain_known import KNOWN
from plain_ways import Way, chosen_ways, every_way, pairs, projects


def parameters(name: str, ways: Iterable[Way]) -> Iterable[Any]:
    """Yield *name* with each of *ways*, marked where a difference is known."""
    for way in ways:
        reasons = [reason for known, values, reason in KNOWN if known == name and way.has(values)]
        marks = [pytest.mark.xfail(strict=True, reason="; ".join(reasons))] if reasons else []
        yield pytest.param(name, way, id=f"{name}-{way}", marks=marks)


def check(suites: Any, run: Any, name: str, way: Way) -> None:
    plain = suites.plain(name, way, run)
    assert (plain.exit, plain.errors) == (0, []), "it has to pass under plain pytest first"
    crucible = suites.crucible(name, way, run)
    assert plain.differences(crucible) == {}, "\n\n".join(crucible.errors)
    assert crucible.warnings == set()
    assert crucible.exit == 0


@pytest.mark.parametrize(
    ("name", "way"), [each for name, way in chosen_ways().items() for each in parameters(name, [way])]
)
def test_pairwise(suites, run, name, way):
    """Each project of the quick tier has the same result under Crucible in the way chosen for it."""
    check(suites, run, name, way)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "way"), [each for name in projects() for each in parameters(name, every_way(name))])
def test_every_way(suites, run, name, way):
    """Each project has the same result under Crucible in every way."""
    check(suites, run, name, way)


def test_each_pair_is_chosen():
    """The ways of the quick tier hold each pair of values of two axes in one process that the slow tier has."""
    every = {pair for name in projects() for way in every_way(name) if way.processes == "one" for pair in pairs(way)}
    assert every - {pair for way in chosen_ways().values() for pair in pairs(way)} == set()
