"""The OpenAPI document of an application: what is read from it, and what is left out for Schemathesis."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from ..errors import UsageError

METHODS = ("get", "put", "post", "delete", "options", "head", "patch")


@dataclass(frozen=True)
class Operation:
    """One method of one path of the document.

    Attributes:
        method: ``GET`` and so on.
        path: The path, as the document has it.
        is_secured: Whether it reads credentials.
        statuses: The statuses of the answers that the document describes: ``"200"``, ``"4XX"``, ``"default"``.
    """

    method: str
    path: str
    is_secured: bool = False
    statuses: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def matches(self, patterns: Iterable[str]) -> bool:
        """Return whether one of *patterns* names it."""
        return any(fnmatchcase(str(self), pattern) for pattern in patterns)


def document_of(application: Any) -> dict[str, Any]:
    """Return the OpenAPI document of *application*, FastAPI's or middleware around it; it is not kept there.

    Raises:
        UsageError: If it has none.
    """
    inner, seen = application, set[int]()
    while not callable(getattr(inner, "openapi", None)):
        seen.add(id(inner))
        inner = getattr(inner, "app", None)
        if inner is None or id(inner) in seen:
            raise UsageError(
                f"The application, {type(application).__name__}, has no OpenAPI document.",
                why="The contract test reads it by the application's method openapi(), which FastAPI has.",
                do="Name the FastAPI application in crucible_app.",
            )
    kept = getattr(inner, "openapi_schema", None)
    try:
        return copy.deepcopy(dict(inner.openapi()))
    finally:
        if hasattr(inner, "openapi_schema"):
            inner.openapi_schema = kept  # routes may be added after the collection of tests


def operations_of(document: dict[str, Any], secured: Iterable[str] = ()) -> list[Operation]:
    """Return the operations of *document*, in its order.

    Args:
        document: An OpenAPI document.
        secured: Patterns of operations that read credentials without declaring it.
    """
    everywhere = document.get("security", [])
    operations = []
    for path, item in document.get("paths", {}).items():
        for method in METHODS:
            if method not in item:
                continue
            statuses = tuple(map(str, item[method].get("responses", {})))
            operation = Operation(method.upper(), path, statuses=statuses)
            is_secured = bool(item[method].get("security", everywhere)) or operation.matches(secured)
            operations.append(Operation(operation.method, path, is_secured, statuses))
    return operations


def without_credentials(document: dict[str, Any]) -> dict[str, Any]:
    """Return *document* without its security, for which the client has credentials, and without its servers."""
    stripped = {name: value for name, value in document.items() if name not in {"security", "servers"}}
    components = {k: v for k, v in document.get("components", {}).items() if k != "securitySchemes"}
    paths = {
        path: {
            name: {k: v for k, v in part.items() if k not in {"security", "servers"}} if name in METHODS else part
            for name, part in item.items()
            if name != "servers"
        }
        for path, item in document.get("paths", {}).items()
    }
    return {**stripped, "paths": paths, "components": components}
