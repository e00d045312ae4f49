"""The budgets and the language that keep the code readable, and the sentence that each test begins with."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from syntax import nodes

REPOSITORY = Path(__file__).parents[2]
# Folders with projects of their own, whose code and tests are as a user writes them.
PROJECTS = {"inner", "projects", "samples"}
SOURCE = sorted(path for path in (REPOSITORY / "src").rglob("*.py") if not PROJECTS & set(path.parts))
TEST_FILES = sorted(path for path in (REPOSITORY / "tests").rglob("*.py") if not PROJECTS & set(path.parts))
TESTS = [path for path in TEST_FILES if path.name.startswith("test_")]
Function = ast.FunctionDef | ast.AsyncFunctionDef


def name(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def functions(path: Path) -> Iterator[Function]:
    yield from (node for node in nodes(path) if isinstance(node, Function))


def lines(node: Function) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


def test_no_file_is_too_long():
    """A file has at most 400 lines."""
    assert [name(path) for path in SOURCE if len(path.read_text("utf-8").splitlines()) > 400] == []


def test_no_function_is_too_long():
    """A function has at most 50 lines."""
    assert [f"{name(path)}: {node.name}" for path in SOURCE for node in functions(path) if lines(node) > 50] == []


def statements(test: Function) -> int:
    """Return the lines of a test below its docstring."""
    first = test.body[1] if ast.get_docstring(test) and len(test.body) > 1 else test.body[0]
    return (test.end_lineno or 0) - first.lineno + 1


def test_no_test_is_too_long():
    """Below its docstring a test has at most 40 lines: it states one guarantee."""
    tests = [(path, node) for path in TESTS for node in functions(path) if node.name.startswith("test_")]
    assert [f"{name(path)}: {node.name}" for path, node in tests if statements(node) > 40] == []


def test_no_test_module_imports_another():
    """A test module is no library: by its plain name it would hide a module of a project that runs in this process."""
    imports = [(path, node) for path in TEST_FILES for node in nodes(path) if isinstance(node, ast.ImportFrom)]
    found = [f"{name(path)}: {node.module}" for path, node in imports if re.search(r"(^|\.)test_", node.module or "")]
    assert found == []


def test_every_test_says_what_holds():
    """Each test has a docstring whose first line is a sentence."""
    tests = [(path, node) for path in TESTS for node in functions(path) if node.name.startswith("test_")]
    first = [(path, node, (ast.get_docstring(node) or "").partition("\n")[0]) for path, node in tests]
    assert [f"{name(path)}: {node.name}" for path, node, line in first if not line.endswith(".")] == []


QUESTION = re.compile(r"(What|Who|Whose|Where|How|Whether|Which|When|Why)\b")
PERSON = re.compile(
    r"\b(nobody|somebody|anybody|everybody|someone|anyone|everyone|whoever|he|him|his|hers|theirs|ours)\b",
    re.IGNORECASE,
)


def documented(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the docstring of a module and of all in it."""
    for node in nodes(path):
        if isinstance(node, ast.Module | ast.ClassDef | Function) and (text := ast.get_docstring(node)):
            yield getattr(node, "name", path.stem), text


def test_no_docstring_opens_with_a_question_word():
    """A docstring of the package says what it describes."""
    assert [f"{name(path)}: {of}" for path in SOURCE for of, text in documented(path) if QUESTION.match(text)] == []


def test_no_docstring_speaks_of_indefinite_persons():
    """The actor is named, in the package and in its tests."""
    files = [*SOURCE, *TEST_FILES]
    assert [f"{name(path)}: {of}" for path in files for of, text in documented(path) if PERSON.search(text)] == []


def test_a_class_name_means_one_thing():
    """No two classes of the package have the same name."""
    classes = Counter(node.name for path in SOURCE for node in nodes(path) if isinstance(node, ast.ClassDef))
    assert [name for name, times in classes.items() if times > 1] == []
