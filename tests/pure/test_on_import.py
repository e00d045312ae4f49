"""Actions on modules as soon as they are imported."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from pytest_crucible.project.on_import import OnImport


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two modules that can be imported, and are forgotten afterwards."""
    for name in ("watched_module", "other_module"):
        (tmp_path / f"{name}.py").write_text("answer = 42\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in ("watched_module", "other_module"):
        sys.modules.pop(name, None)


@pytest.fixture
def seen() -> Iterator[list[ModuleType]]:
    """Yield the modules that the action for ``watched_module`` was called with."""
    seen: list[ModuleType] = []
    on_import = OnImport({"watched_module": seen.append})
    on_import.install()
    yield seen
    on_import.remove()
    assert on_import not in sys.meta_path


def test_after_the_import(seen: list[ModuleType]) -> None:
    """A search for the module runs nothing; its import does, once, and leaves it as it would be."""
    assert importlib.util.find_spec("watched_module") is not None
    assert seen == []
    module = importlib.import_module("watched_module")
    importlib.import_module("watched_module")
    assert seen == [module]
    assert module.__loader__ is module.__spec__.loader
    assert module.__loader__.get_source("watched_module") == "answer = 42\n"


def test_a_module_that_is_there_already() -> None:
    """The action of a module that is imported already runs at once."""
    seen: list[ModuleType] = []
    on_import = OnImport({"sys": seen.append})
    on_import.install()
    on_import.remove()
    assert seen == [sys]


def test_a_loader_of_several_modules(seen: list[ModuleType]) -> None:
    """A loader that is asked for the module and then loads another one, as pytest's may be, runs nothing."""
    loader = importlib.util.find_spec("other_module").loader

    class Shared(MetaPathFinder):
        def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
            return ModuleSpec(name, loader) if name.endswith("_module") else None

    shared = Shared()
    sys.meta_path.insert(1, shared)
    try:
        importlib.util.find_spec("watched_module")
        importlib.import_module("other_module")
    finally:
        sys.meta_path.remove(shared)
    assert seen == []
