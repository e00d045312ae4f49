"""Fingerprints: everything counts, nothing is confused."""

import functools
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import pytest_crucible
from pytest_crucible.errors import UsageError
from pytest_crucible.recipes import fingerprints as fp

parts = st.dictionaries(st.text(max_size=5), st.binary(max_size=5), max_size=4)


@given(parts)
def test_the_order_does_not_count(some: dict[str, bytes]):
    """The same parts in another order have the same fingerprint."""
    assert fp.fingerprint(some) == fp.fingerprint(dict(reversed(some.items())))


@given(parts, parts)
def test_everything_counts(one: dict[str, bytes], other: dict[str, bytes]):
    """Different parts have different fingerprints, wherever one ends and the next begins."""
    assume(one != other)
    assert fp.fingerprint(one) != fp.fingerprint(other)


def test_text_may_move_between_parts():
    """Moving a letter from a name to its value, or to the next part, changes the fingerprint."""
    assert len({fp.fingerprint(p) for p in ({"ab": "c"}, {"a": "bc"}, {"a": "b", "c": ""}, {"a": "", "b": "c"})}) == 4


def test_it_is_stable():
    """The number is the same on every machine and in every version of Python: templates are shared by it."""
    assert fp.fingerprint({"schema": "CREATE TABLE x ()", "server": b"18.6"}) == STABLE


STABLE = "a42c454788eb4a13910d51c8af78ced12282b6e8859a185a52ec62fcce20067d"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "a.csv").write_text("1")
    (tmp_path / "data" / "deep" / "b.csv").write_text("2")
    return tmp_path


def test_a_file_counts_with_its_contents(root: Path):
    """A changed file changes the fingerprint."""
    before = fp.files(root, ["data/*.csv"])
    (root / "data" / "a.csv").write_text("3")
    assert fp.files(root, ["data/*.csv"]) != before


def test_a_file_counts_with_its_name(root: Path):
    """A renamed file changes the fingerprint; where the project lies does not."""
    before = fp.files(root, ["data"])
    moved = root.rename(root.with_name("elsewhere"))
    assert fp.files(moved, ["data"]) == before
    (moved / "data" / "a.csv").rename(moved / "data" / "c.csv")
    assert fp.files(moved, ["data"]) != before


def test_folders_and_globs_go_deep(root: Path):
    """A folder means everything in it, and two patterns for one file count once."""
    deep = fp.files(root, ["data"])
    assert fp.files(root, ["data/**/*.csv"]) == deep
    assert fp.files(root, ["data", "data/a.csv"]) == deep
    assert fp.files(root, ["data/*.csv"]) != deep


def test_compiled_modules_do_not_count(root: Path):
    """Running the migrations leaves compiled modules beside them; the template is not rebuilt for these."""
    before = fp.files(root, ["data"])
    (root / "data" / "__pycache__").mkdir()
    (root / "data" / "__pycache__" / "a.cpython-310.pyc").write_bytes(b"x")
    assert fp.files(root, ["data"]) == before


def test_a_pattern_that_matches_nothing(root: Path):
    """A pattern without a file is an error that names the pattern and the folder."""
    with pytest.raises(UsageError) as caught:
        fp.files(root, ["data/*.cvs"])
    assert "'data/*.cvs'" in caught.value.found
    assert str(root) in caught.value.found
    assert caught.value.do


def load() -> None:
    """Stand for a user's crucible_load."""


def test_the_module_of_a_callable_counts():
    """The fingerprint is that of the module in which a callable is written, through partial and wraps."""

    @functools.wraps(load)
    def wrapped() -> None: ...

    plain = fp.of_module_source(load)
    assert fp.of_module_source(functools.partial(load)) == plain
    assert fp.of_module_source(wrapped) == plain
    assert fp.of_module_source(Path.cwd) != plain


def test_a_callable_without_a_file():
    """A built-in and an instance are known without failing."""

    class Loader:
        def __call__(self) -> None: ...

    assert fp.of_module_source(len) != fp.of_module_source(print)
    assert fp.of_module_source(Loader()) != fp.of_module_source(load)


def test_reads_declares_files():
    """The decorator leaves the callable as it is, and adds up."""

    @pytest_crucible.reads("a.csv")
    @pytest_crucible.reads("b.csv", "c.csv")
    def loader() -> int:
        return 7

    assert fp.declared(loader) == ("b.csv", "c.csv", "a.csv")
    assert loader() == 7
    assert fp.declared(load) == ()
