"""Places of credentials in a request.

The names of the places are OpenAPI's (Security Scheme Object): ``http`` with its scheme, ``apiKey`` in a header, a
query parameter or a cookie, ``oauth2``, ``openIdConnect``. FastAPI's security classes hold them in their ``model``.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..errors import UsageError

PLACES = ("bearer", "basic", "digest", "header", "query", "cookie")


@dataclass(frozen=True)
class Scheme:
    """One place for credentials.

    Attributes:
        place: ``bearer``, ``basic`` or ``digest`` (in the Authorization header), ``header``, ``query`` or ``cookie``.
        name: The name of the header, the parameter or the cookie.
        form: The text that is written there, ``{}`` standing for the token: ``Bearer {}``.
        label: The application's name for it (``securitySchemes`` of its OpenAPI document).
    """

    place: str
    name: str = "Authorization"
    form: str = "{}"
    label: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.place if self.place in PLACES[:3] else f"{self.place}:{self.name}"

    @property
    def is_key(self) -> bool:
        """True if the application chose the place itself, as for API keys."""
        return self.place in PLACES[3:]


BEARER = Scheme("bearer")


@dataclass
class Credentials:
    """The credentials that a request carries."""

    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)


def carry(token: str | None, schemes: Iterable[Scheme]) -> Credentials:
    """Return credentials with *token* in each place; with none if it is None."""
    carried = Credentials()
    for scheme in schemes if token is not None else ():
        _put(str(token), scheme, carried)
    return carried


def _put(bare: str, scheme: Scheme, carried: Credentials) -> None:
    token = scheme.form.replace("{}", bare)
    if scheme.place == "basic":
        pair = base64.b64encode(f"{token}:{token}".encode()).decode()
        carried.headers["Authorization"] = f"Basic {pair}"
    elif scheme.place in {"bearer", "digest"}:
        carried.headers["Authorization"] = f"{scheme.place.title()} {token}"
    elif scheme.place == "header":
        carried.headers[scheme.name] = token
    elif scheme.place == "query":
        carried.query[scheme.name] = token
    else:
        carried.cookies[scheme.name] = token


def scheme_of(security: Any) -> Scheme:
    """Return the scheme of an object of ``fastapi.security``."""
    model = security.model
    label = str(getattr(security, "scheme_name", type(security).__name__))
    kind = str(getattr(model.type_, "value", model.type_))
    if kind == "apiKey":
        return Scheme(str(getattr(model.in_, "value", model.in_)), model.name, label=label)
    if kind == "http" and model.scheme.lower() in {"basic", "digest"}:
        return Scheme(model.scheme.lower(), label=label)
    return Scheme("bearer", label=label)


def read_scheme(text: str, declared: Iterable[Scheme]) -> Scheme:
    """Parse the value of the fixture ``auth_scheme``: a place such as ``cookie:access_token``, or a scheme's label.

    Raises:
        UsageError: If it is neither.
    """
    place, _, rest = text.partition(":")
    name, _, form = rest.partition("=")
    if place in PLACES[:3] and not name:
        return Scheme(place)
    if place in PLACES[3:] and name and (not form or "{}" in form):
        return Scheme(place, name, form or "{}")
    labels = {scheme.label: scheme for scheme in declared}
    if text in labels:
        return labels[text]
    raise UsageError(
        f"The fixture auth_scheme returns {text!r}, which is no place for credentials.",
        why=f"The application declares these schemes: {', '.join(sorted(labels)) or 'none'}.",
        do='Return one of them, or "bearer", "basic", "header:NAME", "query:NAME" or "cookie:NAME"; with text around'
        ' the token, "cookie:NAME=Bearer {}".',
    )


def the_one(declared: Iterable[Scheme]) -> list[Scheme]:
    """Return the scheme for a user's token: bearer if it is declared, or if none is.

    Raises:
        UsageError: If there are several and none is a bearer.
    """
    schemes = list(dict.fromkeys(declared))
    if not schemes or BEARER in schemes:
        return [BEARER]
    if len(schemes) == 1:
        return schemes
    raise UsageError(
        f"The application takes credentials in {len(schemes)} ways: {', '.join(map(str, schemes))}.",
        why="Its routes do not show which of them takes the token of a user.",
        do=f'Name it in a fixture of the tests:\n\n@pytest.fixture\ndef auth_scheme():\n    return "{schemes[0]}"\n',
    )
