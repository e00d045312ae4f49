"""Files that are odd: none of them ends the reading of a project, or says anything on the way."""

from __future__ import annotations

import gc
import warnings
from pathlib import Path

import pytest

from pytest_crucible.project.modules import read
from pytest_crucible.project.names import full
from pytest_crucible.project.pytest_configuration import root_of
from pytest_crucible.project.survey import find

ODD = {
    "a text with a lone surrogate": (b"x = '\\udc80'.join('\\x00'.format(y) for y in z)\n", None),
    "a null byte": (b"x = '\0'\n", "null bytes"),
    "an encoding that does not exist": (b"# coding: nonsense\n", "unknown encoding"),
    "Latin-1 that does not say so": (b"x = '\xe4'\n", "Error"),
    "too deep for the parser": (b"x = " + b"-" * 100_000 + b"1\n", "Error"),
    "a long chain": (b"x = a" + b".b()" * 200 + b"\n", None),
    "a text that is put together of many": (b"def f():\n    yield 'a'" + b" + 'a'" * 400 + b"\n", None),
    "an escape that Python warns of": (b"x = '\\d'\n", None),
    "a byte order mark": ("x = 1\n".encode("utf-8-sig"), None),
    "a notebook's cell": (b"%matplotlib inline\n", "SyntaxError"),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_files(name: str, tmp_path: Path):
    """Whatever a file holds, everything else is found, and its error is said."""
    source, error = ODD[name]
    (tmp_path / "odd.py").write_bytes(source)
    (tmp_path / "main.py").write_text("from fastapi import FastAPI\n\napp = FastAPI()\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        finds = find(read(tmp_path))
    assert [one.place.path for one in finds.applications] == ["main:app"]
    _, odd = finds.project.modules
    assert (odd.error is None) if error is None else (error in (odd.error or ""))


def test_a_file_that_is_not_there(tmp_path: Path):
    """A link that leads nowhere is a module that cannot be read."""
    (tmp_path / "gone.py").symlink_to("nowhere.py")
    [module] = read(tmp_path).modules
    assert "FileNotFoundError" in (module.error or "")


def test_the_collector_is_put_back(tmp_path: Path):
    """The garbage collector rests only while modules are parsed."""
    read(tmp_path)
    assert gc.isenabled()


@pytest.mark.parametrize(
    ("annotation", "is_found"), [('"AsyncSession"', True), ("AsyncSession", True), ('"no name"', False)]
)
def test_names_in_quotes(annotation: str, is_found: bool, tmp_path: Path):
    """A name in quotes is what it names; any other text names nothing."""
    text = f"from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine\nx = y({annotation})\n"
    (tmp_path / "main.py").write_text(text)
    [module] = read(tmp_path).modules
    call = module.tree.body[1].value  # type: ignore[attr-defined] # the call
    assert (full(module, call.args[0]) == "sqlalchemy.ext.asyncio.AsyncSession") is is_found


@pytest.mark.parametrize(
    ("configuration", "folder", "name"),
    [
        ("", "", "app.main"),
        ("", "src", "app.main"),
        ("", "backend", "backend.app.main"),
        ('[tool.pytest]\npythonpath = [".", "backend"]\n', "backend", "app.main"),
        ('[tool.pytest.ini_options]\npythonpath = "a/b backend"\n', "backend", "app.main"),
        ('[[tool.poetry.packages]]\ninclude = "app"\nfrom = "lib"\n', "lib", "app.main"),
        ('[tool.setuptools.packages.find]\nwhere = ["lib"]\n', "lib", "app.main"),
        ('[tool.setuptools]\npackages = ["app"]\npackage-dir = {"" = "lib"}\n', "lib", "app.main"),
        ('[tool.hatch.build.targets.wheel]\npackages = ["python/app"]\n', "python", "app.main"),
        ('[tool.pytest]\npythonpath = ["../elsewhere", "missing"]\n', "", "app.main"),
    ],
)
def test_modules_are_named_as_they_are_imported(configuration: str, folder: str, name: str, tmp_path: Path):
    """A module's name begins at the folder that is on the path: by pytest's pythonpath, or by the build backend."""
    (tmp_path / "pyproject.toml").write_text(configuration)
    (tmp_path / folder / "app").mkdir(parents=True)
    (tmp_path / folder / "app" / "main.py").write_text("from app.db import x\n")
    [module] = read(tmp_path).modules
    assert module.name == name


def test_tests_are_named_from_the_root(tmp_path: Path):
    """A folder of tests on the path does not take the folder's name away from its modules."""
    (tmp_path / "pyproject.toml").write_text('[tool.pytest]\npythonpath = [".", "tests"]\n')
    (tmp_path / "tests" / "fixtures").mkdir(parents=True)
    (tmp_path / "tests" / "fixtures" / "rows.py").write_text("")
    assert [module.name for module in read(tmp_path).modules] == ["tests.fixtures.rows"]


def test_packages_with_the_name_of_something_left_behind(tmp_path: Path):
    """A package called build is read; a folder of that name without an __init__.py is what a build left behind."""
    for name in ("app/build/__init__.py", "build/lib/app/main.py", "env/bin/activate_this.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert [module.name for module in read(tmp_path).modules] == ["app.build"]


def test_requirements_of_poetry_for_several_pythons(tmp_path: Path):
    """Of several constraints for one distribution, the first stands for all."""
    lines = '[{version = "^2.1", extras = ["asyncio"], python = ">=3.11"}, {version = "^2.0", python = "<3.11"}]'
    (tmp_path / "pyproject.toml").write_text(f'[tool.poetry.dependencies]\npython = "^3.10"\nsqlalchemy = {lines}\n')
    [found] = find(read(tmp_path)).requirements
    assert (found.name, found.text) == ("sqlalchemy", "sqlalchemy[asyncio] ^2.1")


@pytest.mark.parametrize(
    ("files", "root"),
    [
        ({"pyproject.toml": "[tool.pytest]\n", "app/requirements.txt": "fastapi\n"}, "."),
        ({"pyproject.toml": "[tool.pytest]\n", "app/tox.ini": "[pytest]\n"}, "app"),
        ({"requirements.txt": "fastapi\n"}, "."),
        ({"setup.py": "", "app/pyproject.toml": "[project]\n"}, "app"),
    ],
)
def test_the_root_of_a_project(files: dict[str, str], root: str, tmp_path: Path):
    """The nearest folder whose configuration mentions pytest comes before the nearest that looks like a root."""
    folder = tmp_path / "app" / "routes"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert root_of(folder) == tmp_path / root
