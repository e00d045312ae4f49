"""A request to a route that passes validation: its parameters are filled in according to their declared types.

If another parameter of the route's dependencies is missing, FastAPI answers 422 before the application reads the
credentials. So the request contains everything that is required.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any

from ..routes import Route, dependant_of, subtree
from ..schemes import Credentials, Scheme
from .example_values import smallest

# As Starlette's convertors read them.
CONVERTED: dict[str, Any] = {"int": 1, "float": 1.0, "uuid": "00000000-0000-4000-8000-000000000001"}
IN_PATH = re.compile(r"{(\w+)(?::(\w+))?}")
TOKEN_LIKE = re.compile(r"token|jwt|auth|key|ticket|session|credential", re.IGNORECASE)


@dataclass
class Request:
    """The request to one route, without credentials."""

    path: str
    query: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)

    def with_credentials(self, credentials: Credentials) -> Request:
        """Return the same request, carrying *credentials*."""
        return Request(
            self.path,
            {**self.query, **credentials.query},
            {**self.headers, **credentials.headers},
            {**self.cookies, **credentials.cookies},
            self.body,
        )


def request_for(route: Route) -> Request:
    """Return a valid request to *route* that carries no credentials."""
    dependant = dependant_of(route.source)
    host = {"Host": _fill(route.host, {})} if route.host else {}
    if dependant is None:
        return Request(_fill(route.path, {}), headers=host)
    parts = list(subtree(dependant))
    path = _values((parameter for part in parts for parameter in part.path_params), everything=True)
    places = {scheme.name.lower() for scheme in route.schemes or likely_places(route)}
    query = _values(parameter for part in parts for parameter in part.query_params)
    headers = _values(parameter for part in parts for parameter in part.header_params)
    cookies = _values(parameter for part in parts for parameter in part.cookie_params)
    return Request(
        _fill(route.path, path),
        {name: value for name, value in query.items() if name.lower() not in places},
        host | {name: _written(value) for name, value in headers.items() if name.lower() not in places},
        {name: _written(value) for name, value in cookies.items() if name.lower() not in places},
        _body(route.source),
    )


def needs_body(route: Route) -> bool:
    """Return whether FastAPI refuses a request to *route* that has no body."""
    body = getattr(route.source, "body_field", None)
    return body is not None and is_required(body)


def likely_places(route: Route) -> list[Scheme]:
    """Return likely places of credentials for a route without a scheme: a bearer, and parameters by their names."""
    schemes = [Scheme("bearer"), Scheme("query", "token")]
    dependant = dependant_of(route.source)
    for part in subtree(dependant) if dependant is not None else ():
        fields = {"query": part.query_params, "header": part.header_params, "cookie": part.cookie_params}
        for place, parameters in fields.items():
            schemes += [Scheme(place, field.alias) for field in parameters if TOKEN_LIKE.search(field.alias)]
    known = ("header", "authorization")
    return [scheme for scheme in dict.fromkeys(schemes) if (scheme.place, scheme.name.lower()) != known]


def _values(parameters: Iterable[Any], *, everything: bool = False) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for parameter in parameters:
        schema = schema_of(parameter)
        if "properties" in schema and not everything:  # a model whose fields are parameters
            values |= smallest(schema)
        elif everything or is_required(parameter):
            values[parameter.alias] = smallest(schema)
    return values


def schema_of(parameter: Any) -> dict[str, Any]:
    """Return the JSON schema of one of FastAPI's fields; ``{}`` where Pydantic has none for its type."""
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError

    info = parameter.field_info
    try:
        with warnings.catch_warnings():
            # A field's alias has no meaning for an adapter: Pydantic warns about it.
            warnings.simplefilter("ignore")
            kind: Any = Annotated[info.annotation, info]
            adapter: TypeAdapter[Any] = TypeAdapter(kind)
            schema = adapter.json_schema()
    except PydanticUserError:
        schema = {}
    examples = getattr(info, "openapi_examples", None) or {}
    values = [example["value"] for example in examples.values() if "value" in example]
    root = schema.get("$defs", {}).get(schema.get("$ref", "").rpartition("/")[2], {}) if "$ref" in schema else {}
    return {**schema, **root, **({"examples": values} if values else {})}


def is_required(parameter: Any) -> bool:
    """Return whether FastAPI refuses a request without *parameter*."""
    return bool(parameter.field_info.is_required())


def _fill(path: str, values: dict[str, Any]) -> str:
    def value(match: re.Match[str]) -> str:
        name, convertor = match.groups()
        return _written(values.get(name, CONVERTED.get(convertor or "", "x")))

    return IN_PATH.sub(value, path)


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _body(source: Any) -> dict[str, Any]:
    """Return the body as keyword arguments of httpx: ``json``, or ``data`` and ``files``."""
    body = getattr(source, "body_field", None)
    if body is None:
        return {}
    schema = schema_of(body)
    value = smallest(schema)
    media = getattr(body.field_info, "media_type", "application/json")
    if media == "application/json":
        return {"json": value}
    fields = value if isinstance(value, dict) else {}
    files = {name for name, part in schema.get("properties", {}).items() if name in fields and _is_file(part)}
    return {
        "data": {name: part for name, part in fields.items() if name not in files},
        **({"files": dict.fromkeys(files, ("x.txt", b"x"))} if files else {}),
    }


def _is_file(schema: dict[str, Any]) -> bool:
    inner = schema.get("items", schema)
    return inner.get("format") == "binary" or "contentMediaType" in inner
