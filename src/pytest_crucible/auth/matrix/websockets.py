"""A websocket's handshake over ASGI alone, which shows whether the application refuses a client.

A browser cannot read the code of a refused handshake, so some applications accept, and at once close with a code. This
counts as a refusal if the application neither sends nor receives a message in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

import anyio

from ...app.exchange import App, Exchange, Message
from .requests import Request

# 1008 is RFC 6455's policy violation; 3000 and 3003 are IANA's unauthorized and forbidden; the others are customary:
# the status of HTTP in the range for private use.
REFUSALS = frozenset({1008, 3000, 3003, 4001, 4003, 4401, 4403})
SECONDS = 10.0


async def shake_hands(
    application: Any, request: Request, refusals: frozenset[int], base_url: str, headers: Mapping[str, str]
) -> str | None:
    """Open a websocket and return the application's reaction instead of a refusal, or None if it refused.

    Args:
        application: An ASGI application.
        request: The address and the credentials.
        refusals: The codes of a close that count as a refusal once the application has accepted.
        base_url: Host and scheme of the application.
        headers: Headers that are sent with each request.

    Raises:
        Exception: Any exception that the application does not handle.
    """
    handshake = Handshake(application, _scope(request, urlsplit(base_url), headers), refusals)
    try:
        with anyio.move_on_after(SECONDS):
            await handshake.signal.until(lambda: handshake.is_decided or handshake.call.ended)
        handshake.check()
        otherwise = "returned without an answer" if handshake.call.ended else f"went on for {SECONDS:.0f} seconds"
        return handshake.verdict(otherwise)
    finally:
        await handshake.leave(1)


class Handshake(Exchange):
    """A websocket, until the application has shown whether it refuses the client."""

    def __init__(self, app: App, scope: Message, refusals: frozenset[int]) -> None:
        self.is_decided = False
        self._refusals = refusals
        self._connected = False
        self._accepted = False
        self._reaction: str | None = None
        super().__init__(app, scope, raising=True)

    def verdict(self, otherwise: str) -> str | None:
        """Return the application's reaction, or None for a refusal."""
        if self.is_decided:
            return self._reaction
        return f"accepted and {otherwise}" if self._accepted else otherwise

    async def receive(self) -> Message:
        """Return the connect event; then wait until the client hangs up."""
        if not self._connected:
            self._connected = True
            return {"type": "websocket.connect"}
        if self._accepted:
            self._decide("accepted, and waits for messages")
        await self.signal.until(lambda: self.left)
        return {"type": "websocket.disconnect", "code": 1000, "reason": ""}

    async def send(self, message: Message) -> None:
        """Take a message from the application."""
        kind = message["type"]
        if kind == "websocket.accept":
            self._accepted = True
        elif kind == "websocket.close":
            code = message.get("code", 1000)
            # Before accept, every close is answered with 403 (ASGI, WebSocket Connection Scope, Close).
            self._decide(None if not self._accepted or code in self._refusals else f"accepted and closed with {code}")
        elif kind == "websocket.http.response.start":
            status = message["status"]
            self._decide(None if status in {401, 403} else f"answered {status}")
        elif kind == "websocket.send":
            self._decide("accepted, and sent a message")

    def check(self) -> None:
        """Raise the application's error, unless it had shown its reaction before."""
        if not self.is_decided:
            super().check()

    def _check_answer(self) -> None:
        """Do nothing: the verdict says that there is none."""

    def _decide(self, reaction: str | None) -> None:
        if not self.is_decided:
            self.is_decided, self._reaction = True, reaction
            self.signal.notify()


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
        "subprotocols": [name.strip() for name in headers.get("Sec-WebSocket-Protocol", "").split(",") if name],
        "state": {},
        "extensions": {"websocket.http.response": {}},
    }
