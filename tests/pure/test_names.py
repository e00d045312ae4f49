"""Names of databases: bounded, told apart, read back."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_crucible.control import database_names as names

text = st.text(min_size=1, max_size=200)
tokens = st.from_regex(r"[a-z0-9]{1,16}", fullmatch=True)
generations = st.integers(0, 10**6)
built = st.one_of(
    st.builds(names.template, text, text),
    st.builds(names.worker, text, text, text, generations),
    st.builds(names.kept, text, text),
)


@given(built)
def test_every_name_is_valid(name: str):
    """Whatever goes in, the name has the prefix, needs no quotes, and PostgreSQL does not cut it."""
    assert re.fullmatch(r"crucible_[twk]_[a-z0-9_]+", name)
    assert len(name.encode()) <= 63


@given(text, tokens, tokens, generations)
def test_a_worker_database_is_read_back(project: str, run: str, worker: str, generation: int):
    """Collection finds the run, the worker and the generation in the name."""
    found = names.parse(names.worker(project, run, worker, generation))
    assert found is not None
    assert (found.kind, found.run, found.worker, found.generation) == ("worker", run, worker, generation)


@given(text, st.from_regex(r"[0-9a-f]{64}", fullmatch=True))
def test_a_template_is_read_back(project: str, fingerprint: str):
    """A template's name holds the beginning of its fingerprint."""
    found = names.parse(names.template(project, fingerprint))
    assert found is not None
    assert (found.kind, found.fingerprint, found.run) == ("template", fingerprint[:16], "")


@given(text, tokens)
def test_a_kept_failure_is_read_back(test: str, run: str):
    """A kept failure's name holds the run that failed."""
    found = names.parse(names.kept(test, run))
    assert found is not None
    assert (found.kind, found.run) == ("kept", run)


@given(st.tuples(text, text, text, generations), st.tuples(text, text, text, generations))
def test_different_worker_databases_have_different_names(
    one: tuple[str, str, str, int], other: tuple[str, str, str, int]
):
    """Shortened or not, two worker databases never share a name."""
    assume(one != other)
    assert names.worker(*one) != names.worker(*other)


@given(st.tuples(text, text), st.tuples(text, text))
def test_different_failures_have_different_names(one: tuple[str, str], other: tuple[str, str]):
    """Two tests with the same function name, or two runs, keep two databases."""
    assume(one != other)
    assert names.kept(*one) != names.kept(*other)


def test_names_are_readable():
    """A person who lists the databases sees whose each is."""
    assert names.template("ledger", "ab" * 32) == "crucible_t_ledger_abababababababab"
    assert names.worker("ledger", "r7f3", "gw0", 3) == "crucible_w_ledger_r7f3_gw0_3"
    assert names.kept("tests/test_a.py::TestIt::test_pay[eur-1]", "r7f3").startswith("crucible_k_test_pay_eur_1_")


@pytest.mark.parametrize(
    "name",
    [
        "postgres",
        "crucible",
        "crucible_dev",
        "crucible_w_ledger",
        "crucible_t_my_db",
        "crucible_k_my_db_1",
        "crucible_x_a_b_c_1",
        "",
    ],
)
def test_other_databases_are_not_ours(name: str):
    """A database that only looks alike is not taken for one of Crucible's."""
    assert names.parse(name) is None


def test_a_name_that_is_too_long_is_not_ours():
    """No name of more than 63 bytes was made here."""
    fingerprint = "ab" * 8
    label = "a" * (63 - len(f"crucible_t__{fingerprint}"))
    assert names.parse(f"crucible_t_{label}_{fingerprint}") is not None
    assert names.parse(f"crucible_t_{label}a_{fingerprint}") is None


@pytest.mark.parametrize(
    "name",
    [
        names.template("a" * 100, "ab" * 32),
        names.worker("a" * 100, "r7f3", "gw0", 3),
        names.kept(f"tests/test_a.py::test_{'a' * 100}", "r7f3"),
    ],
    ids=["template", "worker", "kept"],
)
def test_a_long_label_is_cut_to_63_bytes(name: str):
    """What PostgreSQL would cut is cut here, and no more than that."""
    assert len(name) == 63
