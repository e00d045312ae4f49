"""A Pydantic schema of the project with fields that it cannot do without."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ...project import Finds, Module
from ...project.imports import full, origin
from ...project.models import SQLMODEL
from ...project.places import Place
from ...project.syntax import constant, keyword, text

BASES = ("pydantic.BaseModel", *SQLMODEL)
# A schema with these may be refused for another reason, or name its fields otherwise.
UNCERTAIN = ("model_validator", "root_validator", "RootModel", "Generic", "alias", "extra=")


def with_required_fields(finds: Finds) -> Place | None:
    """The first one, if there is one of which this is certain."""
    for module in finds.project.code:
        for node in module.top():
            if isinstance(node, ast.ClassDef) and any(_required(module, node)) and _is_plain(finds, module, node):
                return Place(f"{module.name}:{node.name}", module.path, node.lineno)
    return None


def _is_plain(finds: Finds, module: Module, node: ast.ClassDef) -> bool:
    """Whether it inherits from Pydantic through classes of the project only, and does nothing special."""
    if node.keywords or not node.bases:
        return False
    for base in node.bases:
        dotted = origin(finds.project, full(module, base))
        parent = _class(finds, dotted)
        if dotted not in BASES and (parent is None or not _is_plain(finds, *parent)):
            return False
    written = text(node)
    return not any(word in written for word in UNCERTAIN)


def _class(finds: Finds, dotted: str) -> tuple[Module, ast.ClassDef] | None:
    owner = finds.project.by_name.get(dotted.rpartition(".")[0])
    for node in owner.top() if owner else ():
        if isinstance(node, ast.ClassDef) and node.name == dotted.rpartition(".")[2]:
            return (owner, node) if owner else None
    return None


def _required(module: Module, node: ast.ClassDef) -> Iterator[str]:
    for statement in node.body:
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        if text(statement.annotation).startswith(("ClassVar", "Annotated")) or statement.target.id.startswith("_"):
            continue
        if statement.value is None or _is_required_field(module, statement.value):
            yield statement.target.id


def _is_required_field(module: Module, value: ast.expr) -> bool:
    if not isinstance(value, ast.Call) or not full(module, value).endswith(".Field"):
        return False
    given = keyword(value, "default") or keyword(value, "default_factory") or (value.args[0] if value.args else None)
    return given is None or constant(given) is ...
