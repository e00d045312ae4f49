"""The environment variables that an application needs for the URL of its database."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from .engines import Engine, url_of
from .modules import Module, Project
from .names import full, origin, split
from .syntax import assigned, calls, constant, keyword, text

URL_NAME = re.compile(r"(?i)(?=.*(url|uri|dsn))(?=.*(database|db|postgres|pg|sql)).*")
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
DEPTH = 6


def needed(project: Project, engine: Engine) -> str | None:
    """Return the variable that holds the URL of an engine, if it has no default; followed through settings classes."""
    return _variable(project, engine.module, url_of(engine.node), DEPTH)


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


def _variable(project: Project, module: Module, node: ast.expr | None, depth: int) -> str | None:
    if node is None or not depth:
        return None
    if isinstance(node, ast.Subscript | ast.Call) and (name := _asked(module, node)):
        return name
    if isinstance(node, ast.Name):
        owner, name = split(project, origin(project, full(module, node)))
        values = dict(filter(None, map(assigned, owner.top() if owner else ())))
        return _variable(project, owner, values.get(name), depth - 1) if owner else None
    if isinstance(node, ast.Attribute):
        return (
            _field(project, node.attr)
            or (_variable(project, module, node.value, depth - 1) if node.attr == "unicode_string" else None)
            or _attribute(project, module, node, depth)
        )
    if isinstance(node, ast.Call):  # str(url), make_url(url), settings.url.replace("a", "b"), URL.create(…)
        inner = next(iter(node.args), None) if isinstance(node.func, ast.Name) else None
        owner_ = node.func.value if isinstance(node.func, ast.Attribute) else None
        return _variable(project, module, inner, depth - 1) or _variable(project, module, owner_, depth - 1)
    return None


def _attribute(project: Project, module: Module, node: ast.Attribute, depth: int) -> str | None:
    """Return the variable of ``config.URL``, where *config* is a module of the project."""
    owner, name = split(project, origin(project, full(module, node)))
    values = dict(filter(None, map(assigned, owner.top() if owner else ())))
    return _variable(project, owner, values[name], depth - 1) if owner and name in values else None


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
    """Return the variable of a settings class's field, if exactly one class has a required one of this name."""
    found = [
        _name_of_field(node, field)
        for module in project.code
        if module.mentions("Settings") and module.mentions(attribute)
        for node in module.top()
        if isinstance(node, ast.ClassDef) and _is_settings(node)
        for field in node.body
        if isinstance(field, ast.AnnAssign) and text(field.target) == attribute and _is_required(field.value)
    ]
    return found[0] if len(found) == 1 else None


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
