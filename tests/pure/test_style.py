"""The budgets and the language that keep the code readable, and the sentence that each test begins with."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
# Folders with projects of their own, whose code and tests are as a user writes them.
PROJECTS = {"inner", "projects", "samples"}
SOURCE = sorted(path for path in (REPOSITORY / "src").rglob("*.py") if not PROJECTS & set(path.parts))
TESTS = sorted(path for path in (REPOSITORY / "tests").rglob("test_*.py") if not PROJECTS & set(path.parts))
Function = ast.FunctionDef | ast.AsyncFunctionDef


def name(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", SOURCE, ids=name)
def test_no_file_and_no_function_is_too_long(path: Path):
    """A file has at most 400 lines, a function at most 50."""
    assert len(path.read_text("utf-8").splitlines()) <= 400
    assert [node.name for node in functions(path) if (node.end_lineno or 0) - node.lineno >= 50] == []


@pytest.mark.parametrize("path", TESTS, ids=name)
def test_every_test_says_what_holds(path: Path):
    """Each test has a docstring whose first line is a sentence."""
    tests = [node for node in functions(path) if node.name.startswith("test_")]
    assert [node.name for node in tests if not (ast.get_docstring(node) or "").partition("\n")[0].endswith(".")] == []


QUESTION = re.compile(r"(What|Who|Whose|Where|How|Whether|Which|When|Why)\b")
PERSON = re.compile(r"\b(nobody|somebody|anybody|everybody|whoever|he|him|his|hers|theirs|ours)\b")


def documented(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the docstring of a module and of all in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | Function) and (text := ast.get_docstring(node)):
            yield getattr(node, "name", path.stem), text


@pytest.mark.parametrize("path", SOURCE, ids=name)
def test_docstrings_name_what_they_describe(path: Path):
    """No docstring opens with a question word, and none speaks of indefinite persons: the actor is named."""
    found = [of for of, text in documented(path) if QUESTION.match(text) or PERSON.search(text)]
    assert found == []


def test_a_class_name_means_one_thing():
    """No two classes of the package have the same name."""
    classes = Counter(
        node.name
        for path in SOURCE
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, times in classes.items() if times > 1] == []
