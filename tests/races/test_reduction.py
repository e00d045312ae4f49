"""Reduction leaves out no outcome: generated programs on real PostgreSQL, and a program for each rule."""

from __future__ import annotations

import pytest

from tests.shared.examples import examples

pytestmark = pytest.mark.slow


def test_generated_programs(run_project):
    """The outcomes of generated programs with reduction are those without."""
    assert "1 passed" in run_project("programs", "test_programs.py", PROGRAMS=str(examples(200)))


def test_each_rule(run_project):
    """Without one of the rules, a small program loses an outcome; with all of them, none."""
    assert "26 passed" in run_project("programs", "test_rules.py", "test_code.py")
