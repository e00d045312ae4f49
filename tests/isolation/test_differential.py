"""A test cannot tell a worker database from a plain one: each statement has the same result, or the same SQLSTATE."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from plain_twin import Twin
from program_checks import QUICK, THOROUGH
from programs import Program, interleaved, programs

from tests.shared.examples import examples

READ_ONLY = [
    (0, "SET default_transaction_read_only = on"),
    (0, "REINDEX TABLE target"),
    (0, "CLUSTER target USING target_pkey"),
]


def test_commands_of_a_read_only_transaction(twin: Twin):
    """REINDEX and CLUSTER are allowed in one: Crucible takes no note of them there."""
    twin.compare([*READ_ONLY, (1, "INSERT INTO target VALUES (50)"), (1, "SELECT * FROM target ORDER BY 1")])


@settings(QUICK, max_examples=8)
@given(program=programs())
def test_programs_give_the_same_results(twin: Twin, program: Program):
    """Triggers, event triggers and earlier resets show in no row, count, error or value of a sequence."""
    twin.compare(program)


@settings(QUICK, max_examples=6)
@given(program=interleaved())
def test_serializable_transactions_fail_alike(twin: Twin, program: Program):
    """Marks cause no serialization failure, and hide none."""
    twin.compare(program)


@pytest.mark.slow
@settings(THOROUGH, max_examples=examples(500))
@given(program=programs(longest=30))
def test_many_programs_give_the_same_results(twin: Twin, program: Program):
    """As above, with longer programs and other ones each time."""
    twin.compare(program)


@pytest.mark.slow
@settings(THOROUGH, max_examples=examples(500))
@given(program=interleaved())
def test_many_serializable_transactions_fail_alike(twin: Twin, program: Program):
    """As above, and other ones each time."""
    twin.compare(program)
