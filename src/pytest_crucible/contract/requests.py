"""One request as data: sent by a client, shown as a curl line, written as a test."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

# What an HTTP client always sends; the other headers of a client are its credentials, or the project's.
ALWAYS = frozenset({"accept", "accept-encoding", "connection", "user-agent"})
WHERE = "http://localhost:8000"


@dataclass(frozen=True)
class PreparedRequest:
    """One request.

    Attributes:
        method: ``GET`` and so on.
        path: The path, as it is sent.
        query: The query, as it is sent.
        headers: The headers of the operation, and the type of the content.
        cookies: The cookies of the operation.
        content: The body.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""

    @property
    def url(self) -> str:
        """Path and query."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def without_carried(self, client: Any) -> PreparedRequest:
        """Return the request without what *client* sends by itself: it goes before what was drawn."""
        carried = {name.lower() for name in client.headers} - ALWAYS
        params = set(client.params)
        cookies = {cookie.name for cookie in client.cookies.jar}
        query = [(name, value) for name, value in parse_qsl(self.query, keep_blank_values=True) if name not in params]
        return replace(
            self,
            query=urlencode(query) if params else self.query,
            headers={name: value for name, value in self.headers.items() if name.lower() not in carried},
            cookies={name: value for name, value in self.cookies.items() if name not in cookies},
        )

    def of(self, client: Any) -> Any:
        """Return the request as one of *client*, with all that it sends by itself; None if httpx cannot send it."""
        try:
            return self._built(client)
        except Exception as error:
            if isinstance(error, UnicodeError) or type(error).__name__ == "InvalidURL":  # httpx's, or httpx2's
                return None
            raise

    def _built(self, client: Any) -> Any:
        # httpx replaces the query of a URL by the parameters of the client.
        query = parse_qsl(self.query, keep_blank_values=True) if len(client.params) else []
        params: dict[str, Any] = {}
        for name, value in query:
            params.setdefault(name, []).append(value)
        request = client.build_request(
            self.method,
            self.path if query else self.url,
            params=params or None,
            # As bytes: httpx takes text for ASCII.
            headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()],
            cookies=dict(self.cookies),
            content=self.content or None,
        )
        request.extensions = {**request.extensions, "raise_app_exceptions": True}
        return request

    def curl(self, placeholders: Iterable[str] = ()) -> str:
        """Return the request as a command for a shell.

        Args:
            placeholders: Headers that the client adds, whose values are left out.
        """
        parts = ["curl", "-X", self.method, shlex.quote(WHERE + self.url)]
        for name, value in self.headers.items():
            parts += ["-H", shlex.quote(f"{name}: {value}")]
        for name in placeholders:
            parts += ["-H", f'"{name}: ${name.upper().replace("-", "_")}"']
        if self.cookies:
            parts += ["-b", shlex.quote("; ".join(f"{name}={value}" for name, value in self.cookies.items()))]
        if self.content:
            parts += ["--data-binary", _quoted(self.content)]
        return " ".join(parts)

    def code(self, client: str, url: str = "") -> str:
        """Return the request as a call of Python's.

        Args:
            client: The name of the client's fixture.
            url: An expression for path and query, if they are no literal.
        """
        arguments = [repr(self.method), url or repr(self.url)]
        headers: dict[str, str | bytes] = {
            k: v if v.isascii() else v.encode("latin-1") for k, v in self.headers.items()
        }
        body = self._json()
        if body is not None:
            headers = {name: value for name, value in headers.items() if name.lower() != "content-type"}
            arguments.append(f"json={body}")
        elif self.content:
            arguments.append(f"content={self.content!r}")
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if headers:
            arguments.append(f"headers={headers!r}")
        return f"await {client}.request({', '.join(arguments)})"

    def _json(self) -> str | None:
        """Return the body as Python's literal, if it is JSON and the client would encode it alike."""
        is_json = any(n.lower() == "content-type" and v == "application/json" for n, v in self.headers.items())
        if not is_json or not self.content:
            return None
        try:
            value = json.loads(self.content)
            json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
        except ValueError:
            return None
        # A literal has no name for a number that is none, and httpx sends no body for None.
        return None if value is None else repr(value)


@dataclass(frozen=True)
class AnswerPart:
    """The part of an earlier answer that a request has as one segment of its path.

    Attributes:
        segment: The index of the segment.
        number: The number of the answer, from 1.
        keys: The keys and indexes that lead to it in the answer's JSON.
    """

    segment: int
    number: int
    keys: tuple[str | int, ...]

    @property
    def code(self) -> str:
        """The expression for it in a test: ``response_1.json()['id']``."""
        return f"response_{self.number}.json(){''.join(f'[{key!r}]' for key in self.keys)}"


@dataclass(frozen=True)
class SentRequest:
    """A request with the status of its answer.

    Attributes:
        request: The request.
        status: The status.
        chain: The requests before it.
    """

    request: PreparedRequest
    status: int
    chain: Chain

    def code(self, client: str) -> str:
        """Return the request as a call of Python's, with what it has of earlier answers: keys differ in each run."""
        segments = self.request.path.split("/")
        for part in self.chain.parts:
            segments[part.segment] = f"{{{part.code}}}"
        query = f"?{self.request.query}" if self.request.query else ""
        code = self.request.code(client, f'f"{"/".join(segments)}{query}"' if self.chain.parts else "")
        for key, expression in self.chain.keys.items():
            code = code.replace(repr(key), expression)
        return code


@dataclass(frozen=True)
class Chain:
    """The requests before one, and what this one has of their answers.

    Attributes:
        earlier: The requests.
        parts: The parts of their answers that the request has in its path.
        keys: The keys in their answers, each with the expression for it in a test.
    """

    earlier: tuple[SentRequest, ...] = ()
    parts: tuple[AnswerPart, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)


ALONE = Chain()


def _quoted(content: bytes) -> str:
    """Return *content* as a word of a shell: ``$'…'`` where it is not plain text."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = ""
    if text.isprintable() and text:
        return shlex.quote(text)
    escaped = "".join(chr(b) if 32 <= b < 127 and b not in b"\\'" else f"\\x{b:02x}" for b in content)
    return f"$'{escaped}'"
