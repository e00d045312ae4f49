"""Checks of well-known fixtures that do not do what they seem to do."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ...project.fixtures import Fixture
from ...project.modules import Module
from ...project.names import full, imported
from ...project.overrides import SuiteOverride
from ...project.syntax import Function, assigned, calls, keyword, last, owner, statements, text
from ..case import Case
from ..findings import Finding

CONTAINERS = "testcontainers"
# The first release of testcontainers that warns.
MOVED_IN = (4, 15)
CHANGING = ("update", "set", "setdefault")


def faker_seed(case: Case) -> Iterator[Finding]:
    """Yield each fixture ``faker_seed``, which seeds only Faker's own fixture."""
    modules = [module for module in case.project.modules if _imports(module, "polyfactory")]
    seeds = [_is_seeded(node) for module in modules for node in _factories(module)]
    if case.settings.on or not modules or (seeds and all(seeds)):
        return
    for fixture in case.fixtures:
        if fixture.name == "faker_seed":
            yield Finding(
                "faker_seed does not reach Polyfactory.",
                "It seeds only Faker's own fixture faker: factories draw different data in each run.",
                "Write `__random_seed__ = 1` in each factory. With Crucible every factory is seeded, for each test.",
                case.where(fixture.module),
                fixture.node.lineno,
            )


def _factories(module: Module) -> Iterator[ast.ClassDef]:
    """Yield the classes that inherit from a factory of Polyfactory."""
    for node in module.top():
        if isinstance(node, ast.ClassDef) and any(full(module, base).startswith("polyfactory.") for base in node.bases):
            yield node


def _is_seeded(factory: ast.ClassDef) -> bool:
    return any(name == "__random_seed__" for name, _ in filter(None, map(assigned, factory.body)))


def shared_headers(case: Case) -> Iterator[Finding]:
    """Yield each fixture that changes a client it receives, and returns it."""
    for fixture in case.fixtures:
        given = set(fixture.arguments)
        handed_on = {last(node.value) for node in ast.walk(fixture.node) if isinstance(node, ast.Return | ast.Yield)}
        for name in sorted(given & handed_on & _changed(fixture.node)):
            yield Finding(
                f"{fixture.name} changes the headers of {name} and returns the same client.",
                f"A test that asks for both has no client without these headers, and each other fixture that uses "
                f"{name} sends them too.",
                "Make a client of its own there. With Crucible: delete it, and ask for authenticated_client.",
                case.where(fixture.module),
                fixture.node.lineno,
            )


def _changed(function: Function) -> set[str]:
    """Return the names whose ``headers`` or ``cookies`` a function changes."""
    found = set()
    for node in ast.walk(function):
        for target in node.targets if isinstance(node, ast.Assign) else ():
            changed = target.value if isinstance(target, ast.Subscript) else target
            if last(changed) in ("headers", "cookies", "auth"):
                found.add(owner(changed))
        if isinstance(node, ast.Call) and last(node) in CHANGING and isinstance(node.func, ast.Attribute):
            changed = node.func.value
            found |= {owner(changed)} if last(changed) in ("headers", "cookies") else set()
    return found


def overrides_cleared(case: Case) -> Iterator[Finding]:
    """Yield each ``dependency_overrides.clear()``, which removes the overrides of other fixtures as well."""
    on = case.settings.on and case.settings.app
    for module in case.project.tests:
        for node in ast.walk(module.tree) if module.mentions("dependency_overrides") else ():
            if _clears(node):
                yield Finding(
                    "All dependency overrides are cleared.",
                    "Those that another fixture has set are removed as well, for the rest of the test."
                    if on
                    else "Those that the application, or another fixture, has set are removed as well, for every later "
                    "test.",
                    "Leave it out: Crucible restores all of them after each test."
                    if on
                    else "Remove only your own: app.dependency_overrides.pop(get_db). Crucible restores all of them "
                    "after each test.",
                    case.where(module),
                    getattr(node, "lineno", 0),
                    severity="note" if on else None,
                )


def _clears(node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "clear":
        return last(node.func.value) == "dependency_overrides"
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict) and not node.value.keys:
        return any(last(target) == "dependency_overrides" for target in node.targets)
    return False


def session_shared(case: Case) -> Iterator[Finding]:
    """Yield each override that gives the application the test's own session."""
    if case.settings.on and case.settings.isolation == "rollback":
        return
    dependencies = {one.place.path for one in case.finds.session_dependencies}
    for override in case.finds.overrides:
        if override.gives_session or override.place.path in dependencies:
            for name in _shared(case, override):
                yield Finding(
                    f"The application and the test share one session, {name}.",
                    "A forgotten commit goes unseen, objects are loaded already (no MissingGreenlet), and requests at "
                    "the same time use one connection.",
                    "Give the application a session of its own on the same connection. With Crucible: delete the "
                    'override; or set crucible_isolation = "rollback" if tests rely on rows that are only flushed.',
                    case.where(override.module),
                    override.place.line,
                )


def _shared(case: Case, override: SuiteOverride) -> Iterator[str]:
    """Yield the fixtures that the application gets, if a fixture that requests them sets the override."""
    for fixture in case.fixtures:
        first, end = fixture.lines
        if fixture.module is override.module and first <= override.place.line <= end:
            yield from (name for name in override.gives if name in fixture.arguments)


def lifespan_not_run(case: Case) -> Iterator[Finding]:
    """Yield each client of httpx whose ASGI transport neither starts nor stops the application."""
    if not any(map(_has_lifespan, case.project.code)):
        return
    for module in case.project.tests:
        if "lifespan" in module.source.lower() or not module.mentions("ASGITransport"):
            continue  # LifespanManager, app.router.lifespan_context: the tests run it
        for call in calls(module.tree):
            is_transport = last(call) == "ASGITransport" and full(module, call.func).startswith("httpx")
            if is_transport and not _is_made_with_arguments(module, call):
                yield Finding(
                    "The client's ASGITransport does not run the application's lifespan.",
                    "The application that these tests ask has never started: what its lifespan sets up is missing.",
                    "Wrap it: `async with LifespanManager(app) as manager: ASGITransport(app=manager.app)` (package "
                    "asgi-lifespan). With Crucible: delete the fixture, and ask for async_client.",
                    case.where(module),
                    call.lineno,
                )


def _is_made_with_arguments(module: Module, transport: ast.Call) -> bool:
    """Return whether the suite makes the application from objects of its own, in place of what a lifespan sets up."""
    app = keyword(transport, "app") or next(iter(transport.args), None)
    made = [value for name, value in filter(None, map(assigned, statements(module.tree.body))) if name == text(app)]
    return any(isinstance(value, ast.Call) and (value.args or value.keywords) for value in (app, *made))


def _has_lifespan(module: Module) -> bool:
    words = ("lifespan", "on_event", "add_event_handler", "on_startup")
    for call in calls(module.tree) if module.mentions(*words) else ():
        if keyword(call, "lifespan") is not None and last(call) in ("FastAPI", "Starlette", "APIRouter", "Router"):
            return True
        if last(call) in ("on_event", "add_event_handler") or keyword(call, "on_startup") is not None:
            return True
    return False


def container_moved(case: Case) -> Iterator[Finding]:
    """Yield each import of ``testcontainers.postgres``, now ``testcontainers.community.postgres``."""
    if case.machine.has(CONTAINERS) and case.machine.version(CONTAINERS) < MOVED_IN:
        return
    for module in case.project.tests:
        for node in ast.walk(module.tree) if module.mentions("testcontainers.postgres") else ():
            if isinstance(node, ast.ImportFrom) and node.module == "testcontainers.postgres":
                yield Finding(
                    "testcontainers.postgres is deprecated.",
                    "Since testcontainers 4.15 it warns in each run; where warnings are errors, importing it fails.",
                    "Write testcontainers.community.postgres. With Crucible: delete the fixture; crucible_server = "
                    '"container" starts one.',
                    case.where(module),
                    node.lineno,
                )


def url_unchanged(case: Case) -> Iterator[Finding]:
    """Yield each replacement of ``postgresql://`` in ``get_connection_url()``, which says ``postgresql+psycopg2://``."""
    for module in case.project.tests:
        if not module.mentions("get_connection_url") or any(keyword(call, "driver") for call in calls(module.tree)):
            continue  # the container names the driver that it was given
        for call in calls(module.tree):
            if last(call) == "replace" and call.args and _is_text(call.args[0], "postgresql://"):
                source = owner(call)
                if "get_connection_url" in source or source in _container_urls(module):
                    yield Finding(
                        'Replacing "postgresql://" in get_connection_url() does nothing.',
                        "It returns postgresql+psycopg2://…: the driver stays, and with it another one than the "
                        "application's.",
                        'Ask for the driver: get_connection_url(driver="asyncpg").',
                        case.where(module),
                        call.lineno,
                    )


def _container_urls(module: Module) -> set[str]:
    """Return the names that hold a result of ``get_connection_url()`` without a driver."""
    found = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            call = node.value
            if last(call) == "get_connection_url" and keyword(call, "driver") is None and not call.args:
                found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def _is_text(node: ast.expr, text: str) -> bool:
    return isinstance(node, ast.Constant) and node.value == text


def container_per_worker(case: Case) -> Iterator[Finding]:
    """Yield each session fixture that starts a container, which happens in each worker."""
    if not case.uses("pytest-xdist"):
        return
    for fixture in case.fixtures:
        if fixture.scope == "session" and _starts_container(fixture):
            yield Finding(
                f"{fixture.name} starts a container in each worker of pytest-xdist.",
                "Each worker has a session of its own: -n 4 starts four servers, at some seconds each.",
                "With Crucible: delete the fixture; all workers share one server, and each has a database of its own, "
                "which takes some 20 ms.",
                case.where(fixture.module),
                fixture.node.lineno,
            )


def _starts_container(fixture: Fixture) -> bool:
    names = [last(call) for call in calls(fixture.node)]
    asked = "worker_id" in fixture.arguments and any("container" in name.lower() for name in names)
    return asked or "PostgresContainer" in names


def _imports(module: Module, package: str) -> bool:
    return module.mentions(package) and any(name.partition(".")[0] == package for name in imported(module).values())
