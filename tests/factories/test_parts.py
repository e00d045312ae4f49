"""The parts that need no server."""

from __future__ import annotations

import sys

import pytest

from pytest_crucible.factories.bulk.copying import _field
from pytest_crucible.factories.factories import Factories
from pytest_crucible.factories.polyfactory.uniques import _numbered
from pytest_crucible.project.patches import Patches
from pytest_crucible.settings import Settings


@pytest.mark.parametrize("installed", [True, False])
def test_the_hook_of_imports(monkeypatch, tmp_path, installed):
    """Imports are listened to only where Polyfactory is installed."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "polyfactory"]:
        monkeypatch.delitem(sys.modules, name)
    if not installed:
        monkeypatch.setitem(sys.modules, "polyfactory", None)
    factories, before = Factories(Settings(root=tmp_path)), list(sys.meta_path)
    factories.begin()
    try:
        assert (sys.meta_path != before) is installed
    finally:
        factories.close()
    assert sys.meta_path == before


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
