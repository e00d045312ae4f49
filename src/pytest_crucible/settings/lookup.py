"""Lookup of the object that a dotted path names, with errors that list what exists instead."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from difflib import get_close_matches
from pathlib import Path

from ..errors import CrucibleError, UsageError
from .checks import split_path
from .refused_urls import refused

PASSED_OVER = {"node_modules", "venv", "__pycache__"}


def lookup(dotted: str, *, option: str, root: Path) -> object:
    """Import the module of ``"app.main:app"`` and take the attribute from it.

    Puts *root*, or its ``src``, on `sys.path` where the top package is there and cannot be imported otherwise.

    Args:
        dotted: The path, ``package.module:attribute.of.it``.
        option: The option that holds it, for the error.
        root: The project's root folder.

    Raises:
        UsageError: If there is no such module or attribute, or if importing the module fails.
    """
    module, attribute = split_path(dotted, option)
    make_importable(dotted, root)
    result = _import(module, f"{option} = {dotted!r}", root)
    for depth, name in enumerate(attribute.split(".")):
        owner = ".".join([module, *attribute.split(".")[:depth]])
        result = _take(result, name, owner, f"{option} = {dotted!r}")
    return result


def refuse_missing(dotted: str, *, option: str, root: Path) -> None:
    """Raise an error if the package that *dotted* begins with exists nowhere; import nothing.

    A module anywhere in the project counts as found: pytest makes it importable when it collects the tests beside it.
    """
    package = dotted.partition(":")[0].partition(".")[0]
    make_importable(dotted, root)
    if package not in sys.modules and importlib.util.find_spec(package) is None and not _is_below(root, package):
        error = ModuleNotFoundError(f"No module named {package!r}", name=package)
        raise _no_module(error, package, f"{option} = {dotted!r}", root)


def _is_below(root: Path, package: str) -> bool:
    for _, folders, files in os.walk(root):
        if package in folders or f"{package}.py" in files:
            return True
        folders[:] = [name for name in folders if not name.startswith(".") and name not in PASSED_OVER]
    return False


def loaded(dotted: str) -> object | None:
    """Return the object that ``"app.main:app"`` names if its module is imported, or None; import nothing."""
    module, _, attribute = dotted.partition(":")
    result: object | None = sys.modules.get(module)
    for name in attribute.split("."):
        result = getattr(result, name, None)
    return result


def make_importable(dotted: str, root: Path) -> None:
    """Put *root*, or its ``src``, on `sys.path` if only that folder has the package that *dotted* begins with.

    pytest does so for the folder of a test file, and for the folders of ``pythonpath``; neither finds an application
    that is not installed.
    """
    package = dotted.partition(":")[0].partition(".")[0]
    if package in sys.modules or importlib.util.find_spec(package) is not None:
        return
    for folder in (root, root / "src"):
        if (folder / package).is_dir() or (folder / f"{package}.py").is_file():
            sys.path.insert(0, str(folder))
            importlib.invalidate_caches()
            return


def _import(module: str, place: str, root: Path) -> object:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # The module itself, or a package on the way to it; any other name is missing *inside* the module.
        if error.name is not None and f"{module}.".startswith(f"{error.name}."):
            raise _no_module(error, module, place, root) from error
        raise UsageError(
            f"{place}: {module} was found, but importing it fails: {error}.",
            why=f"{module}, or what it imports, needs the module {error.name!r}, which is not installed here.",
            do=f"Install what provides {error.name!r} in the environment that runs the tests ({sys.executable}).",
        ) from error
    except CrucibleError:
        raise  # it says already what to do, for example on an engine with its own creator
    except Exception as error:
        why, do = refused(error) or (
            "The error comes from the module itself, or from one that it imports.",
            f'Run `python -c "import {module}"` in {root}: its traceback, also above, shows the line.',
        )
        found = f"{place}: importing {module} raises {type(error).__name__}: {error}"
        raise UsageError(found, why=why, do=do) from error


def _no_module(error: ModuleNotFoundError, module: str, place: str, root: Path) -> UsageError:
    missing = error.name or module
    parent, _, name = missing.rpartition(".")
    if "is not a package" in str(error):
        why = f"{parent} is a module, not a package: {_origin(parent)}."
        do = f'Write "{parent}:{name}" if {name} is an attribute of that module.'
    elif parent:
        folders = [str(folder) for folder in getattr(sys.modules.get(parent), "__path__", [])]
        siblings = _siblings(folders)
        why = f"Looked in {', '.join(folders)}. {_listing(name, siblings)}"
        do = _advice(name, siblings, "Correct the path, or create the module.")
    else:
        why = f"Looked in {root}, {root / 'src'} and in sys.path: {', '.join(entry or '.' for entry in sys.path)}."
        siblings = _siblings([str(root), str(root / "src")])
        do = _advice(
            name, siblings, "Write the path as the application imports it, or install the project: `pip install -e .`."
        )
    return UsageError(f"{place}: there is no module {missing!r}.", why=why, do=do)


def _take(owner: object, name: str, path: str, place: str) -> object:
    try:
        return getattr(owner, name)
    except AttributeError as error:
        attributes = [attribute for attribute in dir(owner) if not attribute.startswith("_")]
        raise UsageError(
            f"{place}: {path} has no {name!r}.",
            why=_listing(name, attributes),
            do=_advice(name, attributes, "Correct the name after the colon."),
        ) from error


def _listing(name: str, existing: list[str], limit: int = 20) -> str:
    """Return the *existing* names as a sentence, the likeliest first."""
    close = get_close_matches(name, existing, n=5)
    listed = close + [other for other in existing if other not in close]
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return f"What exists there: {', '.join(listed[:limit])}{more}." if listed else "Nothing exists there."


def _advice(name: str, existing: list[str], default: str) -> str:
    close = get_close_matches(name, existing, n=1)
    return f"Did you mean {close[0]!r}?" if close else default


def _siblings(folders: list[str]) -> list[str]:
    """Return the names of the modules and packages in *folders*."""
    paths = [path for folder in folders if Path(folder).is_dir() for path in sorted(Path(folder).iterdir())]
    return [
        path.stem
        for path in paths
        if path.stem.isidentifier() and not path.stem.startswith("_")
        if path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py")))
    ]


def _origin(module: str) -> str:
    return getattr(sys.modules.get(module), "__file__", None) or "a built-in module"
