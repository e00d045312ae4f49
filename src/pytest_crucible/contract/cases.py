"""The requests to one operation, drawn by Schemathesis: all that is used of it.

Its own transport and its plugin for pytest are not used: requests go through the client of the test, on the test's
event loop, and Hypothesis's ordinary ``@given`` runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from hypothesis import strategies as st

from .document import Operation, without_credentials
from .requests import PreparedRequest

# Their values are Schemathesis's own, or those of the library that it prepares requests with.
NOT_OF_CASE = {"user-agent", "accept", "accept-encoding", "connection", "x-schemathesis-testcaseid", "content-length"}
BASE_URL = "http://test"


class Cases:
    """The requests to one operation.

    Args:
        document: The OpenAPI document of the application.
        operation: The operation.
    """

    def __init__(self, document: dict[str, Any], operation: Operation) -> None:
        import schemathesis

        with printer_kept():
            schema = schemathesis.openapi.from_dict(without_credentials(document))
            self._operation: Any = schema[operation.path][operation.method.lower()]
            self._strategy = self._strategies(schemathesis.GenerationMode)

    def _strategies(self, modes: Any) -> Any:
        """Return valid requests, and where there is something to spoil, invalid ones."""
        valid = self._operation.as_strategy(generation_mode=modes.POSITIVE)
        parts = ("path_parameters", "headers", "cookies", "query", "body")
        if not any(len(getattr(self._operation, part)) for part in parts):
            return valid
        written = self._operation.get_strategies_from_examples()
        invalid = self._operation.as_strategy(generation_mode=modes.NEGATIVE)
        return st.one_of(*written, valid, invalid)

    def draw(self, draw: Callable[[Any], Any], known: Mapping[str, Sequence[Any]]) -> tuple[Any, PreparedRequest]:
        """Draw a case of Schemathesis's, and return it with its request.

        Args:
            draw: Draws from a strategy.
            known: Values of parameters and fields, by their names, that half of the cases have.
        """
        case = draw(self._strategy)
        for part in ("path_parameters", "query", "body"):
            values = getattr(case, part)
            if isinstance(values, dict) and not known.keys().isdisjoint(values):
                drawn = {name: draw(_or(known[name], values[name])) for name in values if name in known}
                setattr(case, part, values | drawn)  # a copy: the document's example may be its only object
        return case, prepared(case)


def violation(case: Any, response: Any) -> str:
    """Return why the document does not describe *response*, or an empty text."""
    from schemathesis.core.failures import FailureGroup
    from schemathesis.specs.openapi import checks

    described = [
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_headers_conformance,
        checks.response_schema_conformance,
    ]
    try:
        case.validate_response(response, checks=described)
    except FailureGroup as group:
        return "\n".join(f"{failure.title}: {failure.message}".rstrip(": ") for failure in group.exceptions)
    return ""


def _or(values: Sequence[Any], drawn: Any) -> Any:
    """Return the strategy of *values*, as JSON has them, or of the one that was drawn."""
    plain = [value if isinstance(value, (str, int, float)) else str(value) for value in values]
    return st.sampled_from(plain) | st.just(drawn)


def prepared(case: Any) -> PreparedRequest:
    """Return the request of Schemathesis's *case*."""
    from requests import Request

    kwargs = case.as_transport_kwargs(base_url=BASE_URL)
    cookies = dict(kwargs.pop("cookies", None) or {})
    prepared = Request(**kwargs).prepare()
    own = {name.lower() for name in case.headers or ()}
    headers = {k: _text(v) for k, v in prepared.headers.items() if k.lower() in own or k.lower() not in NOT_OF_CASE}
    url = urlsplit(str(prepared.url))
    body: Any = prepared.body
    content = body.encode() if isinstance(body, str) else bytes(body or b"")
    return PreparedRequest(str(prepared.method), url.path or "/", url.query, headers, cookies, content)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


@contextmanager
def printer_kept() -> Iterator[None]:
    """Keep Hypothesis's printer: Schemathesis replaces it by one that prints no argument of any failing test."""
    core: Any = import_module("hypothesis.core")
    printer = core.RepresentationPrinter
    try:
        yield
    finally:
        core.RepresentationPrinter = printer
