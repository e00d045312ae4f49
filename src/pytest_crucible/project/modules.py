"""The modules of a project, parsed and not imported."""

from __future__ import annotations

import ast
import gc
import os
import re
import sys
import tokenize
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.machinery import PathFinder
from pathlib import Path

from .import_roots import tops

SKIPPED = frozenset({"node_modules", "build", "dist", "venv", "env", "virtualenv", "__pycache__", "site-packages"})
TEST_FOLDERS = frozenset({"tests", "test", "testing"})
EXAMPLES = frozenset({"example", "examples"})
DOCS = frozenset({"doc", "docs"})
# A revision of Alembic, or its env.py: both have the models' names, and neither can be imported by its own.
MIGRATION = re.compile(r"^down_revision\b|^\s*context\.configure\(", re.MULTILINE)


@dataclass(frozen=True)
class Syntax:
    """The result of parsing one file.

    Attributes:
        tree: Its syntax tree; empty if it does not parse.
        error: The reason why it does not parse, if any.
        line: The line of the error, if known; else 0.
    """

    tree: ast.Module = field(default_factory=lambda: ast.Module(body=[], type_ignores=[]), repr=False)
    error: str | None = None
    line: int = 0


@dataclass(frozen=True, eq=False)
class Module:
    """One file of Python, parsed when its tree is first asked for.

    Attributes:
        path: The file, absolute.
        name: Its dotted name, as imported from the root, ``src`` or a similar folder; a package has its folder's name.
        source: Its text; empty if it cannot be read.
        is_test: Whether it belongs to the tests: a test, a conftest, or a file in their folder.
        is_aside: Whether it belongs neither to the application nor to its tests: migrations, docs, examples, and
            modules that cannot be imported by their name.
        unreadable: The reason why it cannot be read, if any.
    """

    path: Path
    name: str
    source: str = field(repr=False)
    is_test: bool
    is_aside: bool = False
    unreadable: str | None = None

    @cached_property
    def syntax(self) -> Syntax:
        """The file, parsed."""
        return Syntax(error=self.unreadable) if self.unreadable else _parsed(self.source)

    @property
    def tree(self) -> ast.Module:
        """The syntax tree; empty if the file does not parse."""
        return self.syntax.tree

    @property
    def error(self) -> str | None:
        """The reason why the file cannot be read or parsed, if any."""
        return self.syntax.error

    @property
    def error_line(self) -> int:
        """The line of the error, if known; else 0."""
        return self.syntax.line

    def mentions(self, *words: str) -> bool:
        """Return whether the text contains one of *words*; most modules need not be parsed."""
        return any(word in self.source for word in words)

    @property
    def package(self) -> str:
        """The package that its relative imports start from."""
        return self.name if self.path.name == "__init__.py" else self.name.rpartition(".")[0]

    def top(self) -> Iterator[ast.stmt]:
        """Return the statements that run when it is imported, those below ``if`` and ``try`` too."""
        return iter(self._top)

    @cached_property
    def _top(self) -> tuple[ast.stmt, ...]:
        return tuple(top(self.tree.body))


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

    @cached_property
    def code(self) -> list[Module]:
        """The modules of the application: no tests, migrations, docs or examples."""
        return [module for module in self.modules if not module.is_test and not module.is_aside]

    @cached_property
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
    return Project(root, tuple(module_at(root, path, folders) for path in sorted(_files(root))))


@contextmanager
def without_collecting() -> Iterator[None]:
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
        folders[:] = sorted(name for name in folders if not is_skipped(place / name))
        yield from (place / name for name in files if name.endswith(".py"))


def is_skipped(folder: Path) -> bool:
    """Return whether a folder has no code of the project: an environment, output of a build, a hidden folder."""
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
    source, error = "", None
    try:
        with tokenize.open(path) as file:
            source = file.read()
    except SyntaxError as found:
        error = f"{type(found).__name__}: {found.msg}"
    except (ValueError, OSError) as found:
        error = f"{type(found).__name__}: {found}"
    top = next((folder for folder in folders if folder in path.parents), root)
    name = _name(top, path)
    is_test = _is_test(root, path)
    is_aside = not is_test and (_is_beside(root, path) or _is_foreign(top, name) or bool(MIGRATION.search(source)))
    return Module(path, name, source, is_test, is_aside, error)


def _parsed(source: str) -> Syntax:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Syntax(ast.parse(source))
    except SyntaxError as found:
        return Syntax(error=f"{type(found).__name__}: {found.msg}", line=found.lineno or 0)
    except (ValueError, RecursionError, MemoryError) as found:  # MemoryError: too deep for the parser's stack
        return Syntax(error=f"{type(found).__name__}: {found}")


def _name(top: Path, path: Path) -> str:
    parts = list(path.relative_to(top).with_suffix("").parts)
    if parts[-1] == "__init__" and len(parts) > 1:
        del parts[-1]
    return ".".join(parts)


def _is_beside(root: Path, path: Path) -> bool:
    """Return whether a file belongs to docs or examples."""
    folders = path.relative_to(root).parts[:-1]
    return not EXAMPLES.isdisjoint(folders) or not DOCS.isdisjoint(folders[:1])


def _is_foreign(top: Path, name: str) -> bool:
    """Return whether importing *name* would not import the file: it is no name, or an installed package has it."""
    head = name.partition(".")[0]
    return not all(map(str.isidentifier, name.split("."))) or _is_hidden(top, head)


@cache
def _is_hidden(top: Path, head: str) -> bool:
    """Return whether an installed package hides a folder that has no ``__init__.py``, as Alembic does ``alembic/``."""
    if not (top / head).is_dir() or (top / head / "__init__.py").exists():
        return False
    try:
        spec = PathFinder.find_spec(head, [entry for entry in sys.path if entry and Path(entry) != top])
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None and top not in Path(spec.origin).parents


def _is_test(root: Path, path: Path) -> bool:
    folders, name = path.relative_to(root).parts[:-1], path.stem
    return (
        bool(TEST_FOLDERS.intersection(folders))
        or name == "conftest"
        or name.startswith("test_")
        or name.endswith("_test")
    )


def top(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module's or a class's body, those below ``if``, ``try`` and ``with`` too."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try):
            body = [] if _is_for_type_checkers(node) else node.body
            yield from top([*body, *node.orelse, *getattr(node, "finalbody", [])])
        elif isinstance(node, ast.With):
            yield from top(node.body)


def _is_for_type_checkers(node: ast.stmt) -> bool:
    test = node.test if isinstance(node, ast.If) else None
    name = test.attr if isinstance(test, ast.Attribute) else test.id if isinstance(test, ast.Name) else ""
    return name == "TYPE_CHECKING"
