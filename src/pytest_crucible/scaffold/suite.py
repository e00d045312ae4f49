"""The facts about a project's existing tests."""

from __future__ import annotations

import ast
import re

from ..project.engines import MAKERS
from ..project.fixtures import Fixture
from ..project.modules import TEST_FOLDERS, Module
from ..project.names import imported
from ..project.survey import Finds
from ..project.syntax import last, own

# Marks of pytest and of plugins that register them themselves.
KNOWN = {
    "parametrize", "skip", "skipif", "xfail", "usefixtures", "filterwarnings", "tryfirst", "trylast", "asyncio",
    "anyio", "crucible", "xdist_group", "no_cover",
}  # fmt: skip

MARK = re.compile(r"\bmark\.(\w+)")
INSTALLS = re.compile(r"^deps\s*=.*(?:\n[ \t]+.*)*|install\([^)]*", re.MULTILINE)
ASYNC_TEST = re.compile(r"^\s*async def test", re.MULTILINE)
TEST = re.compile(r"^\s*(async )?def test", re.MULTILINE)


def modules(finds: Finds) -> list[Module]:
    """Return the modules that pytest collects and that contain a test."""
    return [module for module in finds.project.tests if _is_collected(module) and TEST.search(module.source)]


def exists(finds: Finds) -> bool:
    """Return whether the project has a suite: its settings and tests stay as they are."""
    return bool(modules(finds))


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
    wide = [
        one
        for one in finds.fixtures
        if "session" in one.traits and one.scope not in ("function", "?") and not _gives_maker(one)
    ]
    return [
        f"{one.place.where(finds.project.root)} {one.name} is a session of scope {one.scope}: Crucible ends a "
        "transaction that a test leaves open on it. Commit it, or request db_session or sync_session."
        for one in wide
    ]


def other_installers(finds: Finds) -> list[str]:
    """Return notes on files that install the requirements of the tests themselves, and are not changed."""
    files = [finds.project.root / name for name in ("tox.ini", "noxfile.py")]
    texts = {file.name: file.read_text("utf-8", "replace") for file in files if file.is_file()}
    return [
        f"{name} installs the requirements of the tests itself: add pytest-crucible there."
        for name, text in texts.items()
        if any(re.search(r"\bpytest\b", found) for found in INSTALLS.findall(text)) and "pytest-crucible" not in text
    ]


def _gives_maker(fixture: Fixture) -> bool:
    """Return whether a fixture gives tests a session maker: they open and close their own sessions."""
    given = [node.value for node in own(fixture.node) if isinstance(node, ast.Yield | ast.Return)]
    return any(isinstance(value, ast.Call) and last(value) in MAKERS for value in given)


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
    found = {name for module in finds.project.tests for name in MARK.findall(module.source)}
    return sorted(found - KNOWN)


def uses_anyio(finds: Finds) -> bool:
    """Return whether the suite runs its asynchronous tests with anyio's plugin."""
    named = any("anyio" in MARK.findall(module.source) for module in finds.project.tests)
    backend = any(fixture.name == "anyio_backend" for fixture in finds.fixtures)
    return named or backend or finds.configuration.text("anyio_mode") is not None


def has_async_tests(finds: Finds) -> bool:
    """Return whether a test is asynchronous."""
    return any(ASYNC_TEST.search(module.source) for module in finds.project.tests)


def relies_on_auto_mode(finds: Finds) -> bool:
    """Return whether asynchronous tests carry no mark of their own, and no setting makes a plugin run them."""
    settings = [finds.configuration.text(name) or "" for name in ("asyncio_mode", "anyio_mode", "addopts")]
    if settings[0] or settings[1] or "asyncio-mode" in settings[2]:
        return False
    unmarked = [one for one in modules(finds) if not one.mentions("mark.asyncio", "mark.anyio", "unittest")]
    marked = any(one.mentions("pytest.mark.asyncio", "pytest.mark.anyio") for one in finds.project.tests)
    return not marked and any(ASYNC_TEST.search(one.source) for one in unmarked)


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
