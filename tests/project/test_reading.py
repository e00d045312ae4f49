"""Files that are odd: none of them ends the reading of a project, or says anything on the way."""

from __future__ import annotations

import gc
import warnings
from pathlib import Path

import pytest

from pytest_crucible.project import find, read
from pytest_crucible.project.imports import full

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
