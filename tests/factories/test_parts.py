"""The parts that need no server."""

from __future__ import annotations

import importlib
import importlib.util
import sys

from pytest_crucible.factories.copying import _field
from pytest_crucible.factories.imports import Watch
from pytest_crucible.factories.patches import Patches
from pytest_crucible.factories.uniques import _numbered


def test_waiting_for_an_import(tmp_path, monkeypatch):
    """Somebody who only looks for the module starts nothing; its import does, once, and leaves it as it would be."""
    (tmp_path / "watched_module.py").write_text("answer = 42\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    seen = []
    watch = Watch({"watched_module": lambda module: seen.append(module.answer)})
    watch.begin()
    try:
        assert importlib.util.find_spec("watched_module") is not None
        assert seen == []
        module = importlib.import_module("watched_module")
        assert seen == [42]
        assert module.__loader__ is module.__spec__.loader
        assert module.__loader__.get_source("watched_module") == "answer = 42\n"
    finally:
        watch.end()
        sys.modules.pop("watched_module", None)
    assert watch not in sys.meta_path


def test_a_module_that_is_there_already():
    """It is not waited for."""
    seen = []
    watch = Watch({"sys": seen.append})
    watch.begin()
    watch.end()
    assert seen == [sys]


def test_patches():
    """What was inherited is inherited again, and what was there is there again."""

    class Base:
        one = 1
        two = 2

    class Child(Base):
        two = 3

    patches = Patches()
    for name in ("one", "two", "two"):
        patches.put(Child, name, 9)
    assert (Child.one, Child.two) == (9, 9)
    patches.undo()
    assert (Child.one, Child.two) == (1, 3)
    assert "one" not in vars(Child)


def test_text_for_copy():
    """Nulls, tabs, backslashes, arrays and bytes, as COPY reads them."""
    assert _field(None) == r"\N"
    assert _field("a\tb\\\n") == r"a\tb\\\n"
    assert _field(["a", None, 'b"\\', ["c"]]) == r'{"a",NULL,"b\\"\\\\",{"c"}}'
    assert _field(b"\x00\xff") == r"\\x00ff"


def test_numbered():
    """The number fits, and every number that fits comes."""
    assert list(_numbered("abc", 1, 1)) == list("123456789")
    assert next(_numbered("abcdef", 12, 4)) == "ab12"
