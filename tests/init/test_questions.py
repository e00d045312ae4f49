"""Nothing is guessed silently, and nothing written without a yes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_crucible.cli import init, main

APP = """
from fastapi import FastAPI
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase): ...


class Thing(Base):
    __tablename__ = "things"
    id: Mapped[int] = mapped_column(primary_key=True)


one = FastAPI()
two = FastAPI()
"""


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what a user types at a terminal; the end of it is the end of the input."""
    typed: list[str] = []
    asked: Iterator[str] = iter(lambda: typed.pop(0) if typed else None, None)

    def answer(_question: str) -> str:
        found = next(asked, None)
        if found is None:
            raise EOFError
        return found

    monkeypatch.setattr("builtins.input", answer)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    return typed


def test_several_applications_are_asked_for(copy, answers):
    """The number chooses; what is no number of the list is asked again."""
    project = copy()
    project.write(main_py=APP)
    answers += ["3", "x", "2", "y"]
    code, printed = project.init()
    assert code == 0
    assert "1. main:one (main.py:14)" in printed
    assert 'crucible_app = "main:two"' in project.files()["pytest.toml"]


def test_yes_takes_the_first_and_says_so(copy):
    """Without a terminal, the choice is on record."""
    project = copy()
    project.write(main_py=APP)
    _, printed = project.init("--yes")
    assert (
        "Several applications:\n  1. main:one (main.py:14)\n  2. main:two (main.py:15)\n  --yes takes the first."
        in printed
    )
    assert 'crucible_app = "main:one"' in project.files()["pytest.toml"]


def test_nothing_is_written_without_a_yes(copy, answers):
    """No, and the end of the input, leave every file as it is."""
    project = copy()
    project.write(main_py=APP)
    files = project.files()
    for typed in (["1", "n"], ["1", ""], ["1"], []):
        answers[:] = typed
        code, printed = project.init()
        assert (code, project.files()) == (1, files)
        assert "Nothing has been written." in printed


def test_nobody_at_the_terminal(copy, monkeypatch: pytest.MonkeyPatch):
    """In a script the command says which flag it needs, and writes nothing."""
    project = copy()
    project.write(main_py=APP)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    code, printed = project.init()
    assert code == 1
    assert "its input is not a terminal" in printed
    assert "Add --yes" in printed
    assert list(project.files()) == ["main.py"]


def test_no_project(copy):
    """Where there is nothing to test, the error says where it looked and what to do."""
    project = copy()
    project.write(main_py="print('hello')\n", broken_py="def f(:\n")
    code, printed = project.init("--yes")
    assert code == 1
    assert "There is no declarative base, MetaData or SQLModel table in" in printed
    assert "Crucible read 2 modules without importing any." in printed
    assert "broken.py could not be read: SyntaxError" in printed
    assert "crucible init --root PATH" in printed


def test_a_project_inside_the_folder(copy):
    """An application with a pyproject.toml of its own is not set up from above."""
    project = copy()
    project.write(backend__main_py=APP, backend__pyproject_toml="[project]\nname = 'x'\n")
    code, printed = project.init("--yes")
    assert code == 1
    assert "The application lies in a project of its own: backend." in printed
    assert "Run `crucible init --root backend`." in printed


def test_a_repository_of_several_projects(copy):
    """Each project is named; at the root, with an application of its own, the others' modules are left alone."""
    project = copy()
    for name in ("billing", "shop"):
        project.write(**{f"{name}__main_py": APP, f"{name}__pyproject_toml": "[project]\nname = 'x'\n"})
    project.write(common__orm_py=APP.partition("one =")[0], common__pyproject_toml="[project]\nname = 'x'\n")
    code, printed = project.init("--yes")
    assert code == 1
    assert "Run `crucible init --root billing` or `crucible init --root shop`." in printed
    project.write(gateway__main_py=APP, gateway__requirements_txt="fastapi\n")
    (project.root / "gateway" / "__init__.py").touch()
    assert project.init("--yes")[0] == 0
    assert 'crucible_app = "gateway.main:one"' in project.files()["pytest.toml"]


def test_no_such_folder(capsys: pytest.CaptureFixture[str]):
    """A root that is no folder is named."""
    assert main(["init", "--yes", "--root", "/no/such/folder"]) == 1
    assert "/no/such/folder is no folder." in capsys.readouterr().err


def test_the_root_is_found_from_below(copy, monkeypatch: pytest.MonkeyPatch):
    """Run in a folder of the project, the command takes the project."""
    project = copy()
    project.write(app__main_py=APP, requirements_txt="fastapi\n")
    monkeypatch.chdir(project.root / "app")
    assert main(["init", "--yes", "--no-try"]) == 0
    assert "pytest.toml" in project.files()


def test_a_file_that_cannot_be_read(copy, monkeypatch: pytest.MonkeyPatch):
    """The file is named, and what to do."""

    def refuse(root: Path) -> None:
        raise PermissionError(13, "Permission denied", str(root / "pyproject.toml"))

    monkeypatch.setattr(init, "read", refuse)
    code, printed = copy().init("--yes")
    assert code == 1
    assert "pyproject.toml cannot be read: Permission denied." in printed
    assert "Make it readable" in printed


def test_a_long_diff_at_a_terminal(copy, answers, monkeypatch: pytest.MonkeyPatch):
    """At a terminal a diff has colours, and a long one that is asked about goes to a pager."""
    project = copy()
    project.write(main_py=APP)
    paged: list[str] = []
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("pydoc.pager", paged.append)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("LINES", "20")
    assert "\x1b[" in project.init("--dry-run")[1]
    assert paged == []
    answers += ["1", "n"]
    project.init()
    assert "\x1b[" in paged[0]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in project.init("--dry-run")[1]
