"""Fresh clones that are ready before they are needed, and none that is not needed."""

from __future__ import annotations

import pytest

from pytest_crucible.worker.successor import Successor

DDL = """
    with people.engine.begin() as connection: connection.execute(people.text("CREATE TABLE more (id int)"))
"""
CLEAN = "    assert people.names() == []; people.add('ada')\n"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list of what happens to successors."""
    seen: list[str] = []

    def watched(name: str) -> None:
        method = getattr(Successor, name)

        def watch(*arguments: object) -> object:
            result = method(*arguments)
            seen.append(name if result is not False else "clone")
            return result

        monkeypatch.setattr(Successor, name, watch)

    watched("prepare")
    watched("take_place")
    return seen


@pytest.mark.parametrize(
    ("isolation", "body", "expected"),
    [
        ("reset", CLEAN, ["clone"]),
        # The second test finds that a clone was needed; the fourth is the last.
        ("reset", CLEAN + DDL, ["clone", "clone", "prepare", "take_place", "prepare", "take_place"]),
        ("clone", CLEAN, ["clone", "clone", "prepare", "take_place", "prepare", "take_place"]),
    ],
    ids=["nothing", "ddl", "clone"],
)
def test_what_is_made_ahead(suite, calls: list[str], isolation: str, body: str, expected: list[str]):
    """Nothing before the first test and nothing for the last; one for each test between."""
    tests = "\n".join(f"def test_{number}():\n{body}" for number in range(4))
    result = suite.run(f"--crucible-isolation={isolation}", "-Werror", test_it="import people\n\n" + tests)
    result.assert_outcomes(passed=4)
    assert calls == expected


def test_threads_are_counted(suite):
    """A fixture that counts the threads before a test and after it finds as many."""
    tests = """
        import people, pytest, threading

        @pytest.fixture(autouse=True)
        def counted():
            before = threading.active_count()
            yield
            assert threading.active_count() == before

        @pytest.mark.parametrize("number", range(6))
        def test_it(number):
            people.add("ada")
    """
    suite.run("--crucible-isolation=clone", test_it=tests).assert_outcomes(passed=6)


def test_tests_that_use_no_database(suite, calls: list[str]):
    """In clone isolation, too, a database that no test has used is as it was."""
    result = suite.run(
        "--crucible-isolation=clone",
        test_it="""
        import people, pytest

        def test_a(): people.add("ada")
        @pytest.mark.parametrize("n", range(3))
        def test_none(n): pass
        def test_b(): assert people.names() == []
        """,
    )
    result.assert_outcomes(passed=5)
    assert calls == ["clone", "clone", *["prepare"] * 3]
