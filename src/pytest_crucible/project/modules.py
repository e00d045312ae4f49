"""The modules of a project, parsed and not imported."""

from __future__ import annotations

import ast
import gc
import os
import tokenize
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from .import_roots import tops

SKIPPED = frozenset({"node_modules", "build", "dist", "venv", "env", "virtualenv", "__pycache__", "site-packages"})
TEST_FOLDERS = frozenset({"tests", "test", "testing"})


@dataclass(frozen=True, eq=False)
class Module:
    """One file of Python.

    Attributes:
        path: The file, absolute.
        name: Its dotted name, as imported from the root, ``src`` or a similar folder; a package has its folder's name.
        source: Its text; empty if it cannot be read.
        tree: Its syntax tree; empty if it does not parse.
        is_test: Whether it belongs to the tests: a test, a conftest, or a file in their folder.
        error: The reason why it cannot be read or parsed, if any.
        error_line: The line of the error, if known; else 0.
    """

    path: Path
    name: str
    source: str = field(repr=False)
    tree: ast.Module = field(repr=False)
    is_test: bool
    error: str | None = None
    error_line: int = 0

    @property
    def package(self) -> str:
        """The package that its relative imports start from."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]

    def top(self) -> Iterator[ast.stmt]:
        """Return the statements that run when it is imported, those below ``if`` and ``try`` too."""
        return iter(self._top)

    @cached_property
    def _top(self) -> tuple[ast.stmt, ...]:
        return tuple(_top(self.tree.body))


@dataclass(frozen=True, eq=False)
class Project:
    """A project's root folder, and every module below it.

    Attributes:
        root: The folder, absolute.
        modules: Its modules, sorted by path.
    """

    root: Path
    modules: tuple[Module, ...]

    @cached_property
    def by_name(self) -> dict[str, Module]:
        """The modules by their dotted names."""
        return {module.name: module for module in reversed(self.modules)}

    @property
    def code(self) -> list[Module]:
        """The modules outside the tests."""
        return [module for module in self.modules if not module.is_test]

    @property
    def tests(self) -> list[Module]:
        """The modules of the tests, conftest files among them."""
        return [module for module in self.modules if module.is_test]


def read(root: Path) -> Project:
    """Read every module below *root*, and import none.

    Virtual environments, hidden folders and build output are skipped. A file that cannot be read or parsed is
    included, with its `Module.error`.

    Raises:
        UsageError: If a file that configures the project cannot be parsed.
    """
    root = root.resolve()
    # Names of tests begin at the folder above their own, whatever other folder they can be imported from.
    folders = tuple(folder for folder in tops(root) if TEST_FOLDERS.isdisjoint(folder.relative_to(root).parts))
    with _without_collecting():
        return Project(root, tuple(module_at(root, path, folders) for path in sorted(_files(root))))


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Pause garbage collection: all trees stay, and collecting takes several times as long as parsing them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        place = Path(folder)
        folders[:] = sorted(name for name in folders if not _is_skipped(place / name))
        yield from (place / name for name in files if name.endswith(".py"))


def _is_skipped(folder: Path) -> bool:
    name = folder.name
    is_package = (folder / "__init__.py").exists()  # a package of the application, whatever its name
    left_behind = name in SKIPPED and not is_package
    return name.startswith(".") or left_behind or name.endswith(".egg-info") or (folder / "pyvenv.cfg").exists()


def module_at(root: Path, path: Path, folders: tuple[Path, ...] = ()) -> Module:
    """Read one file below *root*, without Python's warnings on its code.

    Args:
        root: The project's root folder.
        path: The file.
        folders: Those that modules are imported from, the innermost first; *root* by default.
    """
    source, tree, error, line = "", ast.Module(body=[], type_ignores=[]), None, 0
    try:
        with tokenize.open(path) as file:
            source = file.read()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except SyntaxError as found:
        error, line = f"{type(found).__name__}: {found.msg}", found.lineno or 0
    except (ValueError, OSError, RecursionError, MemoryError) as found:  # MemoryError: too deep for the parser's stack
        error = f"{type(found).__name__}: {found}"
    top = next((folder for folder in folders if folder in path.parents), root)
    return Module(path, _name(top, path), source, tree, _is_test(root, path), error, line)


def _name(top: Path, path: Path) -> str:
    parts = list(path.relative_to(top).with_suffix("").parts)
    if parts[-1] == "__init__" and len(parts) > 1:
        del parts[-1]
    return ".".join(parts)


def _is_test(root: Path, path: Path) -> bool:
    folders, name = path.relative_to(root).parts[:-1], path.stem
    return (
        bool(TEST_FOLDERS.intersection(folders))
        or name == "conftest"
        or name.startswith("test_")
        or name.endswith("_test")
    )


def _top(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try):
            body = [] if _is_for_type_checkers(node) else node.body
            yield from _top([*body, *node.orelse, *getattr(node, "finalbody", [])])
        elif isinstance(node, ast.With):
            yield from _top(node.body)


def _is_for_type_checkers(node: ast.stmt) -> bool:
    test = node.test if isinstance(node, ast.If) else None
    name = test.attr if isinstance(test, ast.Attribute) else test.id if isinstance(test, ast.Name) else ""
    return name == "TYPE_CHECKING"
