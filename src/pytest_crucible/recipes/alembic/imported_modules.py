"""The project's modules that scripts import: a change in one of them may change the scripts' result."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

Covered = Callable[[str, Path], bool]


def importable_from(root: Path, *further: Path) -> list[Path]:
    """Return the folders that the modules of the project at *root* are imported from."""
    paths = [Path(entry).resolve() for entry in sys.path]
    inside = [path for path in paths if root in path.parents and "site-packages" not in path.parts]
    return list(dict.fromkeys([root, root / "src", *further, *inside]))


def followed(
    scripts: Iterable[Path], folders: Iterable[Path], *, package: str = "", covered: Covered = lambda name, path: False
) -> dict[str, Path]:
    """Return the modules that *scripts* import, directly or indirectly, by name.

    Args:
        scripts: Python files; one that cannot be parsed imports nothing.
        folders: The folders of the project's modules; other modules are not part of the project.
        package: The package that the scripts lie in, for relative imports.
        covered: Returns whether a module is left out, with the imports that only it has.
    """
    bases = list(folders)
    modules: dict[str, Path] = {}
    waiting = [(script, package) for script in scripts]
    while waiting:
        file, package = waiting.pop()
        for name in _imported(file, package):
            for part, path in _modules(name, bases):
                if part not in modules and not covered(part, path):
                    modules[part] = path
                    waiting.append((path, part if path.name == "__init__.py" else part.rpartition(".")[0]))
    return modules


def _imported(file: Path, package: str) -> Iterator[str]:
    """Yield the dotted names that *file*, in *package*, imports anywhere; for ``from a import b``, ``a.b``."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def _modules(name: str, bases: list[Path]) -> Iterator[tuple[str, Path]]:
    """Yield the modules on the way to *name*: importing ``a.b`` runs ``a`` first."""
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        for base in bases:
            path = base.joinpath(*parts[:end])
            file = next((each for each in (path / "__init__.py", path.with_suffix(".py")) if each.is_file()), None)
            if file is not None:
                yield ".".join(parts[:end]), file
                break
