"""The engines, sessionmakers and session dependencies of a project."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .location import SourceLocation
from .modules import Module, Project
from .names import full, imported, origin
from .syntax import Function, assigned, calls, constant, is_generator, is_stub, keyword, own, text

ENGINES = {
    "create_engine": False,
    "create_async_engine": True,
    "engine_from_config": False,
    "async_engine_from_config": True,
}
MAKERS = {"sessionmaker": False, "async_sessionmaker": True}
SESSIONS = {"Session": False, "AsyncSession": True}
SESSION_NAME = re.compile(r"session|(^|_)db($|_)")
DEPENDED = re.compile(r"\b(?:Depends|Security)\(\s*(?:dependency\s*=\s*)?([A-Za-z_][\w.]*\w)")
LIBRARIES = ("sqlalchemy", "sqlmodel")


@dataclass(frozen=True)
class Engine:
    """A call that makes an engine.

    Attributes:
        place: The location of its name at module level, or of the function that makes it.
        module: The module of the call; tests and Alembic's ``env.py`` are modules too.
        is_async: Whether it is an ``AsyncEngine``.
        known_url: The URL, if a literal or a default of the project's settings contains it.
        has_creator: Whether it has ``creator=`` or ``async_creator=``, which bypasses the redirect.
        at_module_level: Whether importing the module makes it.
        node: The call.
    """

    place: SourceLocation
    module: Module
    is_async: bool
    known_url: str | None
    has_creator: bool
    at_module_level: bool
    node: ast.Call = field(repr=False, compare=False)


@dataclass(frozen=True)
class SessionMaker:
    """A ``sessionmaker`` or ``async_sessionmaker``.

    Attributes:
        place: The location of its name at module level, or of the function that makes it.
        is_async: Whether its sessions are ``AsyncSession``.
    """

    place: SourceLocation
    is_async: bool


@dataclass(frozen=True)
class SessionDependency:
    """A generator function that yields a session.

    Attributes:
        place: Its location, with the value for ``crucible_get_session``.
        is_async: Whether it yields an ``AsyncSession``.
        is_used: Whether a ``Depends`` names it.
    """

    place: SourceLocation
    is_async: bool
    is_used: bool


def engines(project: Project) -> list[Engine]:
    """Return every engine of the project, those of its tests too."""
    return [
        Engine(
            place,
            module,
            ENGINES[name],
            known_url=_known(project, module, url_of(call)),
            has_creator=any(argument.arg in ("creator", "async_creator") for argument in call.keywords),
            at_module_level=at_top,
            node=call,
        )
        for module in project.modules
        for name, place, call, at_top in _made(project, module, ENGINES)
    ]


def session_makers(project: Project) -> list[SessionMaker]:
    """Return every sessionmaker of the project, those of its tests too."""
    return [
        SessionMaker(place, _is_async_maker(project, module, name, call))
        for module in project.modules
        for name, place, call, _ in _made(project, module, MAKERS)
    ]


def session_dependencies(project: Project) -> list[SessionDependency]:
    """Return the functions of the project's code that yield a session, those that ``Depends`` names first."""
    used = {dotted for module in project.code for dotted in _depended(project, module)}
    makers = {maker.place.path.replace(":", "."): maker.is_async for maker in session_makers(project)}
    dependencies = []
    for module in project.code:
        for node in module.top() if module.mentions("yield") else ():
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not is_generator(node):
                continue
            is_async = yields_session(project, module, node, makers)
            is_used = f"{module.name}.{node.name}" in used
            if is_async is None and is_used and _is_named_session(project, module, node):
                is_async = isinstance(node, ast.AsyncFunctionDef)  # the session comes from a manager of the project
            if is_async is not None and not is_stub(node):
                place = SourceLocation(f"{module.name}:{node.name}", module.path, node.lineno)
                dependencies.append(SessionDependency(place, is_async, is_used))
    return sorted(dependencies, key=lambda dependency: not dependency.is_used)


def is_session_name(name: str) -> bool:
    """Return whether a function of this name gives a session, and no maker of sessions."""
    return bool(SESSION_NAME.search(name)) and "maker" not in name.lower() and "factory" not in name.lower()


def _is_named_session(project: Project, module: Module, function: Function) -> bool:
    """Return whether its name says that it gives a session, and it does not make another object with a session."""
    given = (argument.annotation for argument in (*function.args.args, *function.args.kwonlyargs))
    if any(_annotated(project, module, annotation) is not None for annotation in given):
        return False
    return is_session_name(function.name) and "maker" not in text(function.returns)


def _made(
    project: Project, module: Module, names: dict[str, bool]
) -> Iterator[tuple[str, SourceLocation, ast.Call, bool]]:
    """Each call of one of *names* of SQLAlchemy's: which, where, the call, and whether it is at module level."""
    if not any(name in module.source for name in names):
        return  # a walk through every tree of a large project takes seconds
    for node in module.top():
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if isinstance(node, ast.If | ast.Try | ast.With):
            continue  # top() yields its statements, too
        name = node.name if inside else (assigned(node) or ("", None))[0]  # type: ignore[attr-defined]
        for call in calls(node):
            called = origin(project, full(module, call))
            last = called.rpartition(".")[2]
            if last in names and called.startswith(LIBRARIES):
                yield last, SourceLocation(f"{module.name}:{name}", module.path, call.lineno), call, not inside


def url_of(call: ast.Call) -> ast.expr | None:
    """Return the argument of a call that makes an engine which holds its URL."""
    return call.args[0] if call.args else keyword(call, "url") or keyword(call, "configuration")


def _known(project: Project, module: Module, node: ast.expr | None, depth: int = 6) -> str | None:
    """Return the literal that an expression evaluates to, as far as the project's code tells."""
    if node is None or not depth:
        return None
    if isinstance(constant(node), str):
        return str(constant(node))
    if isinstance(node, ast.Call):
        # str(url), make_url(url), os.environ.get("DATABASE_URL", default): the value is the last argument.
        last = node.args[-1] if node.args else keyword(node, "default")
        is_variable = len(node.args) == 1 and full(module, node).endswith(("getenv", "environ.get"))
        return None if is_variable else _known(project, module, last, depth - 1)
    if isinstance(node, ast.Name):
        return _known_name(project, module, node, depth)
    if isinstance(node, ast.Attribute):
        return _default_of_settings(project, node.attr, depth)
    return None


def _known_name(project: Project, module: Module, node: ast.Name, depth: int) -> str | None:
    dotted = origin(project, full(module, node))
    owner = project.by_name.get(dotted.rpartition(".")[0])
    for statement in owner.top() if owner else ():
        if (assignment := assigned(statement)) and assignment[0] == dotted.rpartition(".")[2]:
            return _known(project, owner or module, assignment[1], depth - 1)
    return None


def _default_of_settings(project: Project, name: str, depth: int) -> str | None:
    """Return the default of the class attribute *name*, if the project has only one of this name."""
    defaults = [
        (module, value)
        for module in project.code
        for node in module.top()
        if isinstance(node, ast.ClassDef)
        for key, value in filter(None, map(assigned, node.body))
        if key == name
    ]
    return _known(project, *defaults[0], depth - 1) if len(defaults) == 1 else None


def _is_async_maker(project: Project, module: Module, name: str, call: ast.Call) -> bool:
    kind = origin(project, full(module, keyword(call, "class_"))).rpartition(".")[2]
    return MAKERS[name] or kind == "AsyncSession"


def _depended(project: Project, module: Module) -> Iterator[str]:
    """Yield the full name of each dependency; by its text, since most modules have some, and few name a session."""
    for name in dict.fromkeys(DEPENDED.findall(module.source)):
        yield origin(project, full(module, ast.parse(name, mode="eval").body))


def yields_session(project: Project, module: Module, function: Function, makers: dict[str, bool]) -> bool | None:
    """Return whether the session that *function* yields is asynchronous; None if it yields none."""
    bound: dict[str, ast.expr] = {}
    yielded: list[ast.expr] = []
    for node in own(function):
        if isinstance(node, ast.With | ast.AsyncWith):
            bound |= {text(item.optional_vars): item.context_expr for item in node.items if item.optional_vars}
        elif isinstance(node, ast.stmt) and (assignment := assigned(node)):
            bound[assignment[0]] = assignment[1]
        elif isinstance(node, ast.Yield | ast.YieldFrom) and node.value is not None:
            yielded.append(node.value)
    kinds = (_session(project, module, bound.get(text(node), node), bound, makers) for node in yielded)
    return next((kind for kind in kinds if kind is not None), _annotated(project, module, function.returns))


def _session(
    project: Project, module: Module, node: ast.expr, bound: dict[str, ast.expr], makers: dict[str, bool]
) -> bool | None:
    if isinstance(node, ast.Await):
        return _session(project, module, node.value, bound, makers)
    if not isinstance(node, ast.Call):
        return None
    called = origin(project, full(module, node)).removesuffix(".begin")
    owner = node.func.value if isinstance(node.func, ast.Attribute) else node.func
    if called in makers:
        return makers[called]
    if called.startswith(LIBRARIES) and called.rpartition(".")[2] in SESSIONS:
        return SESSIONS[called.rpartition(".")[2]]
    maker = bound.get(text(owner))  # the function itself makes the sessionmaker, from an engine of the request
    if isinstance(maker, ast.Call):
        name = origin(project, full(module, maker)).rpartition(".")[2]
        return MAKERS.get(name)
    return None


def _annotated(project: Project, module: Module, annotation: ast.expr | None) -> bool | None:
    if "sessionmaker" in text(annotation):
        return None
    for node in ast.walk(annotation) if annotation else ():
        dotted = imported(module).get(node.id, "") if isinstance(node, ast.Name) else ""
        if origin(project, dotted).startswith(LIBRARIES) and dotted.rpartition(".")[2] in SESSIONS:
            return SESSIONS[dotted.rpartition(".")[2]]
    return None
