"""A page of the application that surely answers: read from its routes, which are not called for it.

A route counts whose path has no parameters, that asks for nothing but a session, and whose function calls nothing but
SQLAlchemy and its own arguments: whatever else it does could need a user, a token or another service.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass

from ...project import Finds, Module
from ...project.applications import Application
from ...project.imports import full, origin, split
from ...project.syntax import Function, assigned, calls, constant, keyword, own, text

REFUSING = ("TrustedHostMiddleware", "HTTPSRedirectMiddleware")
INJECTED = ("Request", "Response", "BackgroundTasks")
LIBRARIES = ("sqlalchemy.", "sqlmodel.", "starlette.responses.JSONResponse", "fastapi.responses.JSONResponse")


@dataclass(frozen=True)
class Route:
    """A GET route.

    Attributes:
        path: What is asked for; a Python expression that gives it, if *is_expression*.
        status: What is answered.
    """

    path: str
    status: int = 200
    is_expression: bool = False


def simplest(finds: Finds, app: Application) -> Route:
    """The first route that surely answers; else the OpenAPI document; else a path that surely is not there."""
    found = next(_starlette(finds, app) if app.framework == "starlette" else _fastapi(finds, app), None)
    if found is not None:
        return found
    document = keyword(app.node, "openapi_url") if isinstance(app.node, ast.Call) else None
    if app.framework == "starlette" or (isinstance(document, ast.Constant) and document.value is None):
        return Route("/there/is/no/such/page", 404)
    literal = constant(document)
    if document is None or isinstance(literal, str):
        return Route(str(literal or "/openapi.json"))
    return Route("app.openapi_url", is_expression=True)


def refusing(finds: Finds) -> str | None:
    """Middleware that answers a test client otherwise than a browser: it looks at the host, or at the scheme."""
    for module in finds.project.code:
        for name in REFUSING:
            if name in module.source:
                return name
    return None


def _fastapi(finds: Finds, app: Application) -> Iterator[Route]:
    prefixes = _prefixes(finds, app)
    for module in finds.project.code:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for decorator in node.decorator_list:
                    route = _decorated(finds, module, decorator, prefixes)
                    if route is not None and _surely_answers(finds, module, node):
                        yield route


def _prefixes(finds: Finds, app: Application) -> dict[str, str]:
    """The full name of the application and of every router it includes, with the prefix of its routes."""
    if isinstance(app.node, ast.Call) and keyword(app.node, "dependencies") is not None:
        return {}  # every route asks for something
    prefixes = dict.fromkeys(_names(finds, app), "")
    included = [
        (module, call)
        for module in finds.project.code
        for call in calls(module.tree)
        if isinstance(call.func, ast.Attribute) and call.func.attr == "include_router" and call.args
    ]
    for _ in range(4):  # routers of routers
        for module, call in included:
            owner = origin(finds.project, full(module, call.func.value))  # type: ignore[attr-defined] # an Attribute
            router = origin(finds.project, full(module, call.args[0]))
            if (
                owner in prefixes
                and (prefix := _prefix(call)) is not None
                and (own_ := _own(finds, router)) is not None
            ):
                prefixes.setdefault(router, prefixes[owner] + prefix + own_)
    return prefixes


def _names(finds: Finds, app: Application) -> set[str]:
    """What the application is called where its routes are declared."""
    factory = next((one for one in finds.applications if one.is_factory and one.place.path == app.made_by), None)
    names = {app.place.path.replace(":", ".")}
    if factory is not None and isinstance(factory.node, ast.FunctionDef):
        names |= {
            f"{factory.place.module}.{node.value.id}"
            for node in own(factory.node)
            if isinstance(node, ast.Return) and isinstance(node.value, ast.Name)
        }
    return names


def _own(finds: Finds, router: str) -> str | None:
    """The prefix that a router was made with; None where it is no literal, or the router asks for something."""
    module, name = split(finds.project, router)
    for node in module.top() if module else ():
        if (found := assigned(node)) and found[0] == name and isinstance(found[1], ast.Call):
            return _prefix(found[1])
    return None


def _prefix(call: ast.Call) -> str | None:
    prefix = keyword(call, "prefix")
    if keyword(call, "dependencies") is not None or (prefix is not None and not isinstance(constant(prefix), str)):
        return None
    return str(constant(prefix) or "")


def _decorated(finds: Finds, module: Module, decorator: ast.expr, prefixes: dict[str, str]) -> Route | None:
    if not isinstance(decorator, ast.Call) or not isinstance(decorator.func, ast.Attribute):
        return None
    owner = origin(finds.project, full(module, decorator.func.value))
    path = constant(decorator.args[0] if decorator.args else keyword(decorator, "path"))
    status = keyword(decorator, "status_code")
    if decorator.func.attr != "get" or owner not in prefixes or not isinstance(path, str):
        return None
    whole = prefixes[owner] + path
    if "{" in whole or keyword(decorator, "dependencies") is not None or (status and constant(status) is None):
        return None
    return Route(whole or "/", int(str(constant(status) or 200)))


def _starlette(finds: Finds, app: Application) -> Iterator[Route]:
    module = finds.project.by_name[app.place.module]
    for call in calls(app.node):
        if not full(module, call).endswith("routing.Route") or len(call.args) < 2:
            continue
        path, methods = constant(call.args[0]), keyword(call, "methods")
        endpoint = _function(finds, origin(finds.project, full(module, call.args[1])))
        is_get = methods is None or "'GET'" in text(methods)
        if not isinstance(path, str) or "{" in path or not is_get or endpoint is None:
            continue
        if _calls_only(finds, *endpoint, {"request"}):
            yield Route(path)


def _function(finds: Finds, dotted: str) -> tuple[Module, Function] | None:
    module, name = split(finds.project, dotted)
    for node in module.top() if module else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return module, node  # type: ignore[return-value] # not None, or there were no nodes
    return None


def _surely_answers(finds: Finds, module: Module, node: Function) -> bool:
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    defaults = dict(zip([one.arg for one in reversed(node.args.args)], reversed(node.args.defaults), strict=False))
    defaults |= {
        one.arg: value for one, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if value
    }
    given = all(_is_given(finds, module, one.annotation, defaults.get(one.arg)) for one in arguments)
    return given and _calls_only(finds, module, node, {one.arg for one in arguments})


def _is_given(finds: Finds, module: Module, annotation: ast.expr | None, default: ast.expr | None) -> bool:
    """Whether FastAPI has a value for an argument without being sent one."""
    sessions = {one.place.path.replace(":", ".") for one in finds.session_dependencies}
    for node in (default, annotation, _alias(finds, module, annotation)):
        for call in calls(node) if node is not None else ():
            if full(module, call).endswith("Depends"):
                return bool(call.args) and _origin_anywhere(finds, module, call.args[0]) in sessions
    if isinstance(default, ast.Constant):
        return True
    return default is None and full(module, annotation).rpartition(".")[2] in INJECTED


def _alias(finds: Finds, module: Module, annotation: ast.expr | None) -> ast.expr | None:
    """What ``Database`` stands for, with ``Database = Annotated[AsyncSession, Depends(get_db)]`` somewhere."""
    owner, name = split(finds.project, origin(finds.project, full(module, annotation)))
    for node in owner.top() if owner else ():
        if (found := assigned(node)) and found[0] == name:
            return found[1]
    return None


def _origin_anywhere(finds: Finds, module: Module, node: ast.expr) -> str:
    """The origin of a name that stands in *module*, or in the module of an alias that it uses."""
    names = {one.place.name: one.place.path.replace(":", ".") for one in finds.session_dependencies}
    found = origin(finds.project, full(module, node))
    return found if found in names.values() else names.get(text(node).rpartition(".")[2], found)


def _calls_only(finds: Finds, module: Module, node: Function, arguments: set[str]) -> bool:
    """Whether it calls only SQLAlchemy, builtins, classes of the project, and methods of what it was given or made."""
    if any(isinstance(child, ast.Raise) for child in own(node)):
        return False
    local = arguments | {
        child.id for child in ast.walk(node) if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store)
    }
    return all(_is_harmless(finds, module, call.func, local) for child in node.body for call in calls(child))


def _is_harmless(finds: Finds, module: Module, called: ast.expr, local: set[str]) -> bool:
    root = called
    while isinstance(root, ast.Attribute | ast.Call | ast.Await | ast.Subscript):
        root = root.func if isinstance(root, ast.Call) else root.value
    if not isinstance(root, ast.Name) or root.id in local:
        return isinstance(called, ast.Attribute)
    dotted = origin(finds.project, full(module, root if isinstance(called, ast.Attribute) else called))
    places = [*(one.place for one in finds.engines), *(one.place for one in finds.session_makers)]
    places += [model.place for one in finds.metadata for model in one.models]
    known = {place.path.replace(":", ".") for place in places}
    return dotted.startswith(LIBRARIES) or dotted in known or hasattr(builtins, root.id)
