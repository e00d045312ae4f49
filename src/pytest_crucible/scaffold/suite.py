"""The facts about a project's existing tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ..project import Finds, Module
from ..project.modules import TEST_FOLDERS
from ..project.names import full, imported

# Marks of pytest and of plugins that register them themselves.
KNOWN = {
    "parametrize", "skip", "skipif", "xfail", "usefixtures", "filterwarnings", "tryfirst", "trylast", "asyncio",
    "anyio", "crucible", "xdist_group", "no_cover",
}  # fmt: skip

OURS = {"db_session", "sync_session", "async_engine", "database_url", "async_client"}
DATABASE = {"engine", "session", "overrides", "container", "create_all", "async client", "test client"}


def folder(finds: Finds) -> str:
    """Return the folder of the tests, relative to the root."""
    root = finds.project.root
    configured = [path.rstrip("/") for path in finds.configuration.words("testpaths")]
    inside = [folder for module in finds.project.tests for folder in module.path.parents if folder.name in TEST_FOLDERS]
    names = [folder.relative_to(root).as_posix() for folder in inside if root in folder.parents]
    there = [name for name in (*configured, "tests", "test") if (root / name).is_dir()]
    return next(iter([*there, *configured, *names]), "tests")


def wide_sessions(finds: Finds) -> list[str]:
    """Return notes on sessions that last longer than a test."""
    wide = [one for one in finds.fixtures if "session" in one.traits and one.scope not in ("function", "?")]
    return [
        f"{one.place.where(finds.project.root)} {one.name} is a session of scope {one.scope}: Crucible ends a "
        "transaction that a test leaves open on it. Commit it, or request db_session or sync_session."
        for one in wide
    ]


def paths(finds: Finds) -> list[str]:
    """Return the folders to collect tests from; none if some tests are in the root itself."""
    names = [
        module.path.relative_to(finds.project.root).parts for module in finds.project.tests if _is_collected(module)
    ]
    own = folder(finds)
    heads = [parts[0] for parts in names if not "/".join(parts).startswith(f"{own}/")]
    return [] if any(len(parts) == 1 for parts in names) else list(dict.fromkeys([own, *heads]))


def _is_collected(module: Module) -> bool:
    return module.path.name.startswith("test_") or module.path.name.endswith("_test.py")


def marks(finds: Finds) -> list[str]:
    """Return the marks of the tests that no known plugin registers."""
    found = {name.split(".")[2] for module in finds.project.tests for name in _marks(module)}
    return sorted(found - KNOWN)


def uses_anyio(finds: Finds) -> bool:
    """Return whether the suite runs its asynchronous tests with anyio's plugin."""
    named = any(name == "pytest.mark.anyio" for module in finds.project.tests for name in _marks(module))
    backend = any(fixture.name == "anyio_backend" for fixture in finds.fixtures)
    return named or backend or finds.configuration.text("anyio_mode") is not None


def has_async_tests(finds: Finds) -> bool:
    """Return whether a test is asynchronous."""
    return any(
        isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test")
        for module in finds.project.tests
        for node in ast.walk(module.tree)
    )


def beside_tests(finds: Finds) -> list[str]:
    """Return folders of tests whose modules import each other by their bare name, which importlib mode prevents.

    Packages are left out: such an import never worked there, so the name is that of another module.
    """
    found = []
    for module in finds.project.tests:
        if (module.path.parent / "__init__.py").exists():
            continue
        beside = {path.stem for path in module.path.parent.glob("*.py")} | {
            path.parent.name for path in module.path.parent.glob("*/__init__.py")
        }
        heads = {name.partition(".")[0] for name in imported(module).values()}
        if heads & beside - {"conftest"} and module.path.parent != finds.project.root:
            found.append(module.path.parent.relative_to(finds.project.root).as_posix())
    return list(dict.fromkeys(found))


def may_forbid(finds: Finds, folder: str) -> bool:
    """Return whether no test in *folder* requests a fixture that uses the database."""
    place = finds.project.root / folder
    inside = [module for module in finds.project.tests if place in module.path.parents]
    asked = {
        argument.arg
        for module in inside
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for argument in (*node.args.args, *node.args.kwonlyargs)
    }
    theirs = {fixture.name for fixture in finds.fixtures if fixture.traits & DATABASE}
    return not asked & (theirs | OURS)


def _marks(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and (name := full(module, node)).startswith("pytest.mark."):
            yield name
