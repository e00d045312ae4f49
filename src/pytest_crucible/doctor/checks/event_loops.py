"""Checks of event loops: the loop that a fixture runs on, and the loop that a connection belongs to.

The rules are pytest-asyncio's own (1.x, ``pytest_fixture_setup``): a fixture runs on the loop of its ``loop_scope``,
else of ``asyncio_default_fixture_loop_scope``, else of its own scope; that loop must live as long as the fixture.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from ...project.engines import Engine
from ...project.fixtures import Fixture
from ...project.names import full
from ...project.syntax import assigned, calls, constant, functions_of, keyword, last, owner, parameters
from ..case import Case
from ..findings import Finding

SCOPES = ("function", "class", "module", "package", "session")
UNSET = "asyncio_default_fixture_loop_scope"
TESTS = "asyncio_default_test_loop_scope"
LOOPLESS = {"NullPool", "StaticPool"}
BOUND_TO_LOOP = {"connect", "create_pool", "AsyncSession", "begin", "async_sessionmaker"}


def _width(scope: str) -> int:
    return SCOPES.index(scope) if scope in SCOPES else 0


def _runs_on_asyncio(case: Case, fixture: Fixture) -> bool:
    """Return whether pytest-asyncio runs a fixture; if not, anyio or trio does."""
    if not isinstance(fixture.node, ast.AsyncFunctionDef) or not case.uses("pytest-asyncio"):
        return False
    return fixture.decorator.startswith("pytest_asyncio") or case.option("asyncio_mode", "strict") == "auto"


def _loop(case: Case, fixture: Fixture) -> str:
    default = case.option(UNSET)
    return fixture.loop_scope or (fixture.scope if default in ("", "fixture-scope") else default)


def _fixtures(case: Case) -> list[Fixture]:
    return [fixture for fixture in case.fixtures if _runs_on_asyncio(case, fixture)]


def scope_mismatch(case: Case) -> Iterator[Finding]:
    """Yield each fixture that outlives its loop, or opens a connection on another loop than the test's."""
    tests = _test_loops(case)
    for fixture in _fixtures(case):
        loop = _loop(case, fixture)
        if _width(loop) < _width(fixture.scope):
            yield _outlives(case, fixture, loop)
        elif loop not in tests and (call := _bound(case, fixture)):
            yield _other_loop(case, fixture, loop, call)


def _outlives(case: Case, fixture: Fixture, loop: str) -> Finding:
    source = "its loop_scope" if fixture.loop_scope else UNSET
    return Finding(
        f"The {fixture.scope}-scoped async fixture {fixture.name} runs on a {loop} loop ({source}).",
        f"The loop ends before the fixture does: pytest stops with “ScopeMismatch: You tried to access the {loop} "
        f"scoped fixture _{loop}_scoped_runner with a {fixture.scope} scoped request object”.",
        f'Write {UNSET} = "session" and {TESTS} = "session", or '
        f'@pytest_asyncio.fixture(scope="{fixture.scope}", loop_scope="{fixture.scope}") with tests on the same loop.',
        case.where(fixture.module),
        fixture.node.lineno,
    )


def _other_loop(case: Case, fixture: Fixture, loop: str, call: ast.Call) -> Finding:
    return Finding(
        f"The fixture {fixture.name} opens a connection ({last(call.func)}) on the {loop} loop; tests run on "
        f"{' and '.join(sorted(_test_loops(case)))} loops.",
        "A connection belongs to the loop that opened it: “got Future attached to a different loop”.",
        f'Write the same scope for both: {UNSET} = "session" and {TESTS} = "session".',
        case.where(fixture.module),
        fixture.node.lineno,
    )


def _bound(case: Case, fixture: Fixture) -> ast.Call | None:
    """Return the call by which a fixture opens a resource that belongs to its loop and outlives the call."""
    made = {id(call) for call in calls(fixture.node)}
    engines = [engine for engine in case.finds.engines if id(engine.node) in made]
    disposed = _disposed(fixture)
    pooled = [engine for engine in engines if _is_pooled(engine) and id(engine.node) not in disposed]
    if engines and not pooled:
        return None  # nothing that belongs to a loop is left open
    for node in ast.walk(fixture.node):
        if isinstance(node, ast.With | ast.AsyncWith) and any(isinstance(child, ast.Yield) for child in ast.walk(node)):
            for item in node.items:
                if isinstance(item.context_expr, ast.Call) and last(item.context_expr) in BOUND_TO_LOOP:
                    return item.context_expr
    return next((engine.node for engine in pooled), None)


def _disposed(fixture: Fixture) -> set[int]:
    """Return the calls that make engines which the fixture disposes before the test begins."""
    begins = min((node.lineno for node in ast.walk(fixture.node) if isinstance(node, ast.Yield)), default=sys.maxsize)
    names = {owner(call) for call in calls(fixture.node) if last(call) == "dispose" and call.lineno < begins}
    statements = (node for node in ast.walk(fixture.node) if isinstance(node, ast.stmt))
    return {id(value) for name, value in filter(None, map(assigned, statements)) if name in names}


def _test_loops(case: Case) -> set[str]:
    """Return the loops that tests run on: the default, and those that marks request."""
    found = {case.option(TESTS) or "function"}
    for module in case.project.tests:
        for call in calls(module.tree) if module.mentions("mark.asyncio") else ():
            if last(call) == "asyncio" and "mark" in ast.unparse(call.func):
                found.add(str(constant(keyword(call, "loop_scope")) or "function"))
    return found


def event_loop(case: Case) -> Iterator[Finding]:
    """Yield each use of the fixture ``event_loop``, which pytest-asyncio 1.0 removed."""
    if case.machine.has("pytest-asyncio") and case.machine.version("pytest-asyncio") < (1,):
        return
    defined = [fixture for fixture in case.fixtures if fixture.name == "event_loop"]
    for fixture in defined:
        yield _event_loop("", case.where(fixture.module), fixture.node.lineno)
    for module in case.project.tests if not defined else ():
        for node in functions_of(module.tree) if module.mentions("event_loop") else ():
            if "event_loop" in parameters(node):
                yield _event_loop(node.name, case.where(module), node.lineno)


def _event_loop(who: str, file: str, line: int) -> Finding:
    found = "A fixture event_loop is defined."
    why = "pytest-asyncio 1.0 removed it: nothing uses the fixture any more, and its loop is not the tests' loop."
    if who:
        found, why = f"{who} asks for event_loop.", "pytest-asyncio 1.0 removed it: “fixture 'event_loop' not found”."
    return Finding(
        found,
        why,
        f"Delete it. The scope of loops is set by {UNSET} and {TESTS}; the running loop is asyncio.get_running_loop().",
        file,
        line,
        severity="error" if who else "warning",
    )


def pooled_engine(case: Case) -> Iterator[Finding]:
    """Yield each pool that Crucible empties after every test, since its connections belong to the test's loop."""
    if not case.settings.on or not case.uses("pytest-asyncio"):
        return
    # A TestClient has a loop of its own; in strict mode, anyio or trio runs the tests without a mark.
    word = "async def test" if case.option("asyncio_mode", "strict") == "auto" else "mark.asyncio"
    if not any(module.mentions(word) for module in case.project.tests):
        return
    if "function" not in _test_loops(case):
        return
    lasting = {id(node) for fixture in case.fixtures if fixture.scope != "function" for node in calls(fixture.node)}
    for engine in case.finds.engines:
        if (engine.at_module_level or id(engine.node) in lasting) and _is_pooled(engine):
            yield Finding(
                "An async engine that outlives the test has a pool, and tests run on function loops.",
                "A connection belongs to its loop, so every test that uses the engine opens new ones; Crucible "
                "discards the old ones, and tests are slower for it.",
                f'With {UNSET} = "session" and {TESTS} = "session", connections are kept from test to test.',
                case.where(engine.module),
                engine.place.line,
            )


def _is_pooled(engine: Engine) -> bool:
    """Return whether an async engine keeps connections; SQLite's belong to no loop."""
    call = engine.node
    pool = full(engine.module, keyword(call, "poolclass")).rpartition(".")[2]
    spread = any(word.arg is None for word in call.keywords)  # **options may contain a pool that cannot be seen
    kept = not spread and keyword(call, "pool") is None and pool not in LOOPLESS
    return kept and engine.is_async and not (engine.known_url or "").startswith("sqlite")
