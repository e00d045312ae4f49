"""The smallest value that a JSON schema admits, so that a request passes validation and reaches the code under test.

Examples, defaults and constants of the schema come first: a value that its author wrote is better than a generated one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

FORMATS = {
    "uuid": "00000000-0000-4000-8000-000000000001",
    "date-time": "2030-01-01T00:00:00Z",
    "date": "2030-01-01",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "nobody@example.org",
    "uri": "https://example.org/",
    "hostname": "example.org",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "ipvanyaddress": "192.0.2.1",
    "json-string": "{}",
    "base64": "eA==",
    "base64url": "eA==",
    "binary": "x",
}
DEEPEST = 12

Schema = Mapping[str, Any]


def smallest(schema: Schema, definitions: Schema | None = None, depth: int = 0) -> Any:
    """Return a value that *schema* admits.

    Args:
        schema: JSON Schema as Pydantic writes it.
        definitions: The targets of ``$ref``, by name; by default those of *schema* itself.
        depth: The number of schemas around this one: a model may contain itself.
    """
    definitions = schema.get("$defs", {}) if definitions is None else definitions
    for keyword in ("examples", "example", "default", "const", "enum"):
        if keyword in schema:
            return schema[keyword][0] if keyword in {"examples", "enum"} and schema[keyword] else schema[keyword]
    if depth > DEEPEST:
        return None
    if "$ref" in schema:
        return smallest(definitions[schema["$ref"].rpartition("/")[2]], definitions, depth + 1)
    for several in ("anyOf", "oneOf"):
        if several in schema:
            first: Schema = next((option for option in schema[several] if option.get("type") != "null"), {})
            return smallest(first, definitions, depth + 1)
    if "allOf" in schema:
        merged = {key: value for part in schema["allOf"] for key, value in part.items()}
        return smallest({**merged, **{k: v for k, v in schema.items() if k != "allOf"}}, definitions, depth + 1)
    return _of_type(schema, definitions, depth)


def _of_type(schema: Schema, definitions: Schema, depth: int) -> Any:
    kind = schema.get("type")
    kind = next((name for name in kind if name != "null"), None) if isinstance(kind, list) else kind
    if kind in {"integer", "number"}:
        return _number(schema)
    if kind == "boolean":
        return True
    if kind == "array":
        return _array(schema, definitions, depth)
    if kind == "object" or "properties" in schema:
        required = schema.get("required", ())
        properties = schema.get("properties", {})
        return {name: smallest(properties.get(name, {}), definitions, depth + 1) for name in required}
    return None if kind == "null" else _text(schema)


def _number(schema: Schema) -> int | float:
    if schema.get("type") == "integer" or "multipleOf" in schema:
        value = _whole(schema, schema.get("multipleOf", 1))
        return int(value) if schema.get("type") == "integer" else float(value)
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None:
        return 1.0 if high is None else float(high) - 1
    return float(low) + 1 if high is None else (float(low) + float(high)) / 2


def _whole(schema: Schema, step: Any) -> Any:
    """Return a multiple of *step* within the bounds."""
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    value = step
    if low is not None or above is not None:
        least: Any = low if above is None else above
        value = -(-least // step) * step
        value += step if above is not None and value <= above else 0
    elif (high is not None and value > high) or (below is not None and value >= below):
        most: Any = high if below is None else below
        value = most // step * step
        value -= step if below is not None and value >= below else 0
    return value


def _array(schema: Schema, definitions: Schema, depth: int) -> list[Any]:
    if "prefixItems" in schema:
        return [smallest(item, definitions, depth + 1) for item in schema["prefixItems"]]
    return [smallest(schema.get("items", {}), definitions, depth + 1)] * int(schema.get("minItems", 0))


def _text(schema: Schema) -> str:
    if "pattern" in schema:
        return _matching(schema["pattern"], int(schema.get("minLength", 0)))
    text = FORMATS.get(schema.get("format", ""), "x")
    return text.ljust(int(schema.get("minLength", 0)), "x")


def _matching(pattern: str, least: int) -> str:
    """Return a text that matches *pattern*: a common one, or one that Polyfactory makes if it is installed."""
    for text in ("x", "1", "X", "xx", "xxx", "XXX", "x-x", "x@x.xx", "+15550100", "00000", *FORMATS.values()):
        for long in (text, text * max(least, 1)):
            if len(long) >= least and re.search(pattern, long):
                return long
    try:
        from random import Random

        from polyfactory.value_generators.regex import RegexFactory
    except ImportError:
        return "x"
    return str(RegexFactory(random=Random(0))(pattern))  # noqa: S311 - not for secrets
