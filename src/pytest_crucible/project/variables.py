"""The environment variables that an application needs for the URL of its database."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from .engines import Engine, url_of
from .modules import Module, Project
from .names import full, origin, split
from .syntax import assigned, calls, constant, functions_of, keyword, statements, text

URL_NAME = re.compile(r"(?i)(?=.*(url|uri|dsn))(?=.*(database|db|postgres|pg|sql)).*")
DSN = re.compile(r"(?i)(.*_)?dsn")
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
DEPTH = 6
NOTHING: Mapping[str, ast.expr] = MappingProxyType({})


def needed(project: Project, engine: Engine) -> str | None:
    """Return the variable that holds the URL of an engine, if it has no default; followed through settings classes."""
    return _variable(project, engine.module, url_of(engine.node), DEPTH, _locals(engine))


def required(project: Project) -> list[str]:
    """Return the variables without a default whose name says that they hold a database's URL."""
    found = [
        name
        for module in project.code
        if module.mentions("environ", "getenv", "Settings")
        for node in module.top()
        for name in _read(module, node)
    ]
    return list(dict.fromkeys(name for name in found if URL_NAME.fullmatch(name)))


def is_of_database(name: str) -> bool:
    """Return whether the name of a variable says that it holds a database's URL."""
    return bool(URL_NAME.fullmatch(name) or (DSN.fullmatch(name) and "sentry" not in name.lower()))


def _read(module: Module, node: ast.stmt) -> Iterator[str]:
    """Yield the variables that a statement at module level reads, or requires as the fields of a settings class."""
    if isinstance(node, ast.ClassDef):
        for field in node.body if _is_settings(node) else ():
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and _is_required(field.value):
                yield _name_of_field(node, field)
    elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.If | ast.Try | ast.With):
        for child in ast.walk(node):
            if isinstance(child, ast.Subscript | ast.Call) and (name := _asked(module, child)):
                yield name


def _locals(engine: Engine) -> dict[str, ast.expr]:
    """Return the values of names in the function that makes an engine: defaults of its arguments, and assignments."""
    values: dict[str, ast.expr] = {}
    for function in functions_of(engine.module.tree):  # the outer ones first
        if any(call is engine.node for call in calls(function)):
            positional, keywords = [*function.args.posonlyargs, *function.args.args], function.args.kwonlyargs
            pairs = zip(reversed(positional), reversed(function.args.defaults), strict=False)
            more = zip(keywords, function.args.kw_defaults, strict=True)
            values |= {name.arg: value for name, value in (*pairs, *more) if value}
            values |= dict(filter(None, map(assigned, statements(function.body))))
    return values


def _variable(
    project: Project, module: Module, node: ast.expr | None, depth: int, local: Mapping[str, ast.expr] = NOTHING
) -> str | None:
    if node is None or not depth:
        return None
    if isinstance(node, ast.Subscript | ast.Call) and (name := _asked(module, node)):
        return name
    if isinstance(node, ast.Attribute) and (name := _field(project, node.attr)):
        return name
    sources = _sources(project, module, node, local)
    found = (_variable(project, owner, value, depth - 1, names) for owner, value, names in sources)
    return next(filter(None, found), None)


def _sources(
    project: Project, module: Module, node: ast.expr, local: Mapping[str, ast.expr]
) -> Iterator[tuple[Module, ast.expr | None, Mapping[str, ast.expr]]]:
    """Yield the expressions that the value of *node* comes from, each with its module and the names of its function."""
    if isinstance(node, ast.Name) and node.id in local:
        yield module, local[node.id], local
    elif isinstance(node, ast.BoolOp | ast.IfExp | ast.JoinedStr):
        yield from ((module, value, local) for value in _alternatives(node))
    elif isinstance(node, ast.Call):  # str(url), make_url(url), settings.url.replace("a", "b"), URL.create(…)
        if isinstance(node.func, ast.Name):
            yield module, next(iter(node.args), None), local
        elif isinstance(node.func, ast.Attribute):
            yield module, node.func.value, local
    elif isinstance(node, ast.Name | ast.Attribute):  # a name of a module of the project, or config.URL
        if isinstance(node, ast.Attribute) and node.attr == "unicode_string":
            yield module, node.value, local
        owner, name = split(project, origin(project, full(module, node)))
        values = dict(filter(None, map(assigned, owner.top() if owner else ())))
        if owner is not None:
            yield owner, values.get(name), NOTHING


def _alternatives(node: ast.BoolOp | ast.IfExp | ast.JoinedStr) -> Iterator[ast.expr]:
    """Yield the values that an expression may have, the last first; none if a literal is among them: a default."""
    if isinstance(node, ast.JoinedStr):
        first = next(iter(node.values), None)
        values = [first.value] if isinstance(first, ast.FormattedValue) else []  # else a part of a URL
    else:
        values = [node.body, node.orelse] if isinstance(node, ast.IfExp) else node.values
    if not any(isinstance(one, ast.JoinedStr) or isinstance(constant(one), str) for one in values):
        yield from reversed(values)


def _asked(module: Module, node: ast.Subscript | ast.Call) -> str | None:
    """Return the variable that is read without a default: ``os.environ["A"]``, ``os.getenv("A")``, ``env("A")``."""
    name = None
    if isinstance(node, ast.Subscript):
        name = constant(node.slice) if text(node.value).endswith("environ") else None
    elif len(node.args) == 1 and not {word.arg for word in node.keywords} & {"default"}:
        name = constant(node.args[0])
        is_environment = full(module, node) in ("os.getenv", "os.environ.get")
        name = name if is_environment or (isinstance(name, str) and URL_NAME.fullmatch(name)) else None
    return name if isinstance(name, str) and VARIABLE.fullmatch(name) else None


def _field(project: Project, attribute: str) -> str | None:
    """Return the variable of a class's field, if exactly one class takes a field of this name from a variable."""
    found = [
        name
        for module in project.code
        if module.mentions("Settings", "default_factory") and module.mentions(attribute)
        for node in module.top()
        if isinstance(node, ast.ClassDef)
        for field in node.body
        if isinstance(field, ast.AnnAssign) and text(field.target) == attribute
        if (name := _of_field(module, node, field))
    ]
    return found[0] if len(found) == 1 else None


def _of_field(module: Module, node: ast.ClassDef, field: ast.AnnAssign) -> str | None:
    """Return the variable of a settings class's required field, or that a ``default_factory`` reads."""
    if _is_settings(node) and _is_required(field.value):
        return _name_of_field(node, field)
    factory = keyword(field.value, "default_factory") if isinstance(field.value, ast.Call) else None
    body = factory.body if isinstance(factory, ast.Lambda) else None
    return _asked(module, body) if isinstance(body, ast.Subscript | ast.Call) else None


def _is_settings(node: ast.ClassDef) -> bool:
    return any("Settings" in text(base) for base in node.bases)


def _is_required(value: ast.expr | None) -> bool:
    """Return whether a field has no default: none at all, ``...``, or a ``Field`` without one."""
    if value is None or constant(value) is ...:
        return True
    if not isinstance(value, ast.Call) or text(value.func).rpartition(".")[2] != "Field":
        return False
    given = keyword(value, "default") or next(iter(value.args), None)
    return (given is None or constant(given) is ...) and keyword(value, "default_factory") is None


def _name_of_field(node: ast.ClassDef, field: ast.AnnAssign) -> str:
    """Return the variable of a field: its alias, or its name behind the prefix of the class."""
    for word in ("validation_alias", "alias", "env"):
        value = keyword(field.value, word) if isinstance(field.value, ast.Call) else None
        if isinstance(value, ast.Call):  # AliasChoices("DATABASE_URL", "DB_URL")
            value = next(iter(value.args), None)
        if isinstance(name := constant(value), str):
            return name
    return f"{_prefix(node)}{text(field.target)}".upper()


def _prefix(node: ast.ClassDef) -> str:
    for call in calls(node):
        if isinstance(prefix := constant(keyword(call, "env_prefix")), str):
            return prefix
    for inner in (each for one in node.body if isinstance(one, ast.ClassDef) for each in one.body):
        if (pair := assigned(inner)) and pair[0] == "env_prefix":
            return str(constant(pair[1]) or "")
    return ""
