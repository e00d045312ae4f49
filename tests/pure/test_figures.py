"""The figures of a run: they travel, and are merged."""

from __future__ import annotations

import json

from pytest_crucible.report import Figures, Repetition


def some(**words: object) -> Figures:
    return Figures.of({**Figures().plain(), **words})


def test_figures_travel():
    """What a worker sends is plain values, and the same figures again on the other side."""
    figures = Figures(["a note"], built=1)
    figures.add_clone("ALTER TABLE users", "t.py::test")
    figures.add_log(5, [Repetition(3, "SELECT 1", "t.py::test")])
    assert Figures.of(json.loads(json.dumps(figures.plain()))) == figures


def test_figures_are_merged():
    """Numbers add up, a note that several workers have is there once, and the worst repetitions stay."""
    one = some(notes=["a", "b"], built=1, logs=1, statements=3)
    one.add_log(9, [Repetition(times, "SELECT 1", f"t.py::test_{times}") for times in (2, 5, 3)])
    one.add_clone("ALTER TABLE users", "t.py::test_1")
    two = some(notes=["b", "c"])
    two.add_clone("ALTER TABLE users", "t.py::test_2")
    two.add_log(1, [Repetition(4, "SELECT 2", "t.py::test"), Repetition(5, "SELECT 1", "t.py::test_5")])
    merged = Figures().merged([one, two])
    assert (merged.notes, merged.built) == (["a", "b", "c"], 1)
    assert merged.clones == {"ALTER TABLE users": ["t.py::test_1", "t.py::test_2"]}
    assert (merged.logs, merged.statements) == (3, 13)
    assert [repetition.times for repetition in merged.repeated] == [5, 4, 3]


def test_lines():
    """Nothing is said of nothing; numbers are followed by words that fit."""
    assert list(Figures().lines()) == []
    made = some(built=1, notes=["note"])
    for test in ("t.py::test_1", "t.py::test_1", "t.py::test_2", "t.py::test_3", ""):
        made.add_clone("ALTER TABLE users", test)
    made.add_clone("DROP TABLE items", "")
    assert list(made.lines()) == [
        "note",
        "1 template built, 6 fresh clones after changes that a reset cannot undo",
        "5 clones after ALTER TABLE users (t.py::test_1, t.py::test_2, t.py::test_3 and 1 more)",
        "1 clone after DROP TABLE items (a wide fixture)",
    ]
    figures = Figures()
    figures.add_log(1, [Repetition(2, "SELECT 1", "t.py::test")])
    assert list(figures.lines()) == ["1 statement in 1 test with query_log", "2 times SELECT 1 (t.py::test)"]
