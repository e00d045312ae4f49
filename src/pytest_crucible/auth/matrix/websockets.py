"""A websocket's handshake over ASGI alone, which shows whether the application refuses a client.

A browser cannot read the code of a refused handshake, so some applications accept, and at once close with a code. This
counts as a refusal if the application neither sends nor receives a message in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

from .requests import Request

# 1008 is RFC 6455's policy violation; 3000 and 3003 are IANA's unauthorized and forbidden; the others are customary:
# the status of HTTP in the range for private use.
REFUSALS = frozenset({1008, 3000, 3003, 4001, 4003, 4401, 4403})
SECONDS = 10.0


async def shake_hands(
    application: Any,
    request: Request,
    refusals: frozenset[int] = REFUSALS,
    base_url: str = "http://test",
    headers: Mapping[str, str] | None = None,
) -> str | None:
    """Open a websocket and report whether the application refuses it.

    Args:
        application: An ASGI application.
        request: The address and the credentials.
        refusals: The codes of a close that count as a refusal once the application has accepted.
        base_url: Host and scheme of the application.
        headers: Headers that are sent with each request.

    Returns:
        The application's reaction instead of a refusal, or None if it refused.

    Raises:
        Exception: Any exception that the application does not handle.
    """
    talk = _Talk(refusals)
    scope = _scope(request, urlsplit(base_url), headers or {})
    task = asyncio.ensure_future(application(scope, talk.receive, talk.send))
    waiting = asyncio.ensure_future(talk.over.wait())
    try:
        await asyncio.wait({task, waiting}, timeout=SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if task.done() and not talk.over.is_set():
            task.result()
            return talk.verdict("returned without an answer")
        return talk.verdict(f"went on for {SECONDS:.0f} seconds")
    finally:
        waiting.cancel()
        await _hang_up(task, talk)


class _Talk:
    """Both directions of one connection, and the verdict on them."""

    def __init__(self, refusals: frozenset[int]) -> None:
        self.over = asyncio.Event()
        self.gone = asyncio.Event()
        self._refusals = refusals
        self._connected = False
        self._accepted = False
        self._found: str | None = None
        self._refused = False

    def verdict(self, otherwise: str) -> str | None:
        """Return the application's reaction, or None for a refusal."""
        if self._refused:
            return None
        return self._found or (f"accepted and {otherwise}" if self._accepted else otherwise)

    async def receive(self) -> dict[str, Any]:
        """Return the connect event; then wait until the client hangs up."""
        if not self._connected:
            self._connected = True
            return {"type": "websocket.connect"}
        if self._accepted:
            self._end("accepted, and waits for messages")
        await self.gone.wait()
        return {"type": "websocket.disconnect", "code": 1000, "reason": ""}

    async def send(self, message: dict[str, Any]) -> None:
        """Take a message from the application."""
        kind = message["type"]
        if kind == "websocket.accept":
            self._accepted = True
        elif kind == "websocket.close":
            code = message.get("code", 1000)
            # Before accept, every close is answered with 403 (ASGI, WebSocket Connection Scope, Close).
            self._end(None if not self._accepted or code in self._refusals else f"accepted and closed with {code}")
        elif kind == "websocket.http.response.start":
            status = message["status"]
            self._end(None if status in {401, 403} else f"answered {status}")
        elif kind == "websocket.send":
            self._end("accepted, and sent a message")

    def _end(self, found: str | None) -> None:
        if not self.over.is_set():
            self._found, self._refused = found, found is None
            self.over.set()


async def _hang_up(task: asyncio.Future[Any], talk: _Talk) -> None:
    """Let the application notice that the client is gone, then stop it."""
    talk.gone.set()
    await asyncio.wait({task}, timeout=1)
    task.cancel()
    with suppress(Exception, asyncio.CancelledError):
        await task


def _scope(request: Request, url: SplitResult, more: Mapping[str, str]) -> dict[str, Any]:
    headers = {"Host": url.netloc, **more, **request.headers}
    if request.cookies:
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in request.cookies.items())
    path = url.path.rstrip("/") + request.path
    secure = url.scheme == "https"
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "wss" if secure else "ws",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": urlencode(request.query, doseq=True).encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("testclient", 50000),
        "server": (url.hostname, url.port or (443 if secure else 80)),
        "subprotocols": [one.strip() for one in headers.get("Sec-WebSocket-Protocol", "").split(",") if one],
        "state": {},
        "extensions": {"websocket.http.response": {}},
    }
