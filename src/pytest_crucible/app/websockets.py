"""Websockets over ASGI: the server's end; the client's end is httpx-ws or httpx2."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from ..errors import ApplicationError, UsageError
from .exchange import App, Exchange, Message
from .httpx_libraries import body, library_of, reading

try:
    from wsproto import events
    from wsproto.connection import Connection, ConnectionState, ConnectionType
except ImportError as error:  # pragma: no cover - an extra
    raise UsageError(
        "A test opens a websocket, and wsproto is not installed.",
        why="httpx speaks HTTP only; httpx-ws, which brings wsproto, adds websockets to it.",
        do='pip install "pytest-crucible[websockets]"',
    ) from error

NORMAL, ABNORMAL, INTERNAL_ERROR = 1000, 1006, 1011
OPENED, REFUSED = 101, 403


class ClientDisconnectedError(OSError):
    """An error for a message to a client that has left; Starlette makes a WebSocketDisconnect of it."""


class WebSocketExchange(Exchange):
    """One websocket."""

    def __init__(self, app: App, scope: Message, *, raising: bool) -> None:
        self.refusal: tuple[int, str] | None = None
        self.answer_complete = False
        self._told: deque[Message] = deque([{"type": "websocket.connect"}])
        self._farewell: Message | None = None
        self._wire = Connection(ConnectionType.SERVER)
        self._parts: list[Any] = []
        super().__init__(app, scope, raising=raising)

    # -- the application's side --------------------------------------------------------------------------------------

    async def receive(self) -> Message:
        """Return the client's next message; after its end, always the message that it has left."""
        await self.signal.until(lambda: self._told or self._farewell)
        if self._told:
            return self._told.popleft()
        return dict(self._farewell or {})

    async def send(self, message: Message) -> None:
        """Take the application's accept, refusal, data or close."""
        if self.left:
            raise ClientDisconnectedError
        kind = message["type"]
        if kind == "websocket.accept":
            self._accept(message)
        elif kind == "websocket.send":
            text, data = message.get("text"), message.get("bytes")
            event = events.BytesMessage(data or b"") if text is None else events.TextMessage(text)
            await self.flow.write(self._wire.send(event))
        elif kind == "websocket.close":
            self._close(message.get("code", NORMAL), message.get("reason") or "")
        elif kind == "websocket.http.response.start":
            self.headers = list(message.get("headers", ()))
            self.status = message["status"]
        elif kind == "websocket.http.response.body":
            await self.flow.write(message.get("body", b""))
            if not message.get("more_body", False):
                self._end_answer()

    def _accept(self, message: Message) -> None:
        self.headers = [(b"connection", b"upgrade"), (b"upgrade", b"websocket"), *message.get("headers", ())]
        if subprotocol := message.get("subprotocol"):
            self.headers.append((b"sec-websocket-protocol", subprotocol.encode()))
        self.status = OPENED
        self.signal.notify()

    def _close(self, code: int, reason: str) -> None:
        if self.status == OPENED:
            if self._wire.state is ConnectionState.OPEN:
                self.flow.push(self._wire.send(events.CloseConnection(code, reason)))
            self._say_farewell(code, reason)
            self.flow.close()
        elif self.status is None:
            self.status, self.refusal = REFUSED, (code, reason)
            self._end_answer()

    def _end_answer(self) -> None:
        self.answer_complete = True
        self._say_farewell(ABNORMAL)
        self.flow.close()

    def over(self, *, failed: bool) -> None:
        """Close a websocket that is still open, as a server does."""
        if self.status == OPENED and not self.left:
            self._close(INTERNAL_ERROR if failed else NORMAL, "")
        self.flow.close()

    def _check_answer(self) -> None:
        if self.status is None:
            raise ApplicationError(
                f"The application ended without an answer to {self.name}.",
                why="No route takes this websocket, or the one that does returns without websocket.accept().",
                do="Accept it, or refuse it with websocket.close().",
            )

    # -- the client's side -------------------------------------------------------------------------------------------

    async def answered(self) -> None:
        """Wait until the application has accepted or refused."""
        await self.signal.until(lambda: self.status == OPENED or self.answer_complete or self.call.ended)

    def take(self, data: bytes) -> None:
        """Take frames of the client."""
        if self._wire.state is ConnectionState.CLOSED:
            return
        self._wire.receive_data(data)
        for event in self._wire.events():
            if isinstance(event, events.Ping):
                if self._wire.state is ConnectionState.OPEN:
                    self.flow.push(self._wire.send(event.response()))
            elif isinstance(event, events.CloseConnection):
                if self._wire.state is ConnectionState.REMOTE_CLOSING:
                    self.flow.push(self._wire.send(event.response()))
                self._say_farewell(event.code, event.reason or "")
                self.hang_up()
            elif isinstance(event, events.Message):
                self._take_message(event)

    def _take_message(self, event: Any) -> None:
        self._parts.append(event.data)
        if not event.message_finished:
            return
        parts, self._parts = self._parts, []
        is_text = isinstance(event, events.TextMessage)
        content = {"text": "".join(parts)} if is_text else {"bytes": b"".join(parts)}
        if self._farewell is None:
            self._told.append({"type": "websocket.receive", **content})
            self.signal.notify()

    def hang_up(self) -> None:
        """Note that the client leaves, abnormally if it has not closed the websocket."""
        self._say_farewell(ABNORMAL)
        super().hang_up()

    def _say_farewell(self, code: int, reason: str = "") -> None:
        if self._farewell is None:
            self._farewell = {"type": "websocket.disconnect", "code": int(code), "reason": reason}
            self.signal.notify()


class Wire:
    """The client's end as bytes: an ``AsyncNetworkStream``, as httpcore calls it."""

    def __init__(self, exchange: WebSocketExchange) -> None:
        self._exchange = exchange

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # httpcore's names
        """Return the bytes that the application sends; ``b""`` at the end."""
        return await self._exchange.flow.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Take the bytes that the client sends."""
        self._exchange.take(buffer)

    async def aclose(self) -> None:
        """Leave, for the client."""
        self._exchange.hang_up()

    def get_extra_info(self, info: str) -> Any:
        """Return None: there is no socket."""


async def connect(app: App, scope: Message, request: Any, *, raising: bool, patience: float) -> Any:
    """Open a websocket: status 101 and a network stream, or 403 if the application closes before it accepts.

    In production a client never gets the code of such a close; here it is in the response's extensions, as
    ``websocket_close``.
    """
    exchange = WebSocketExchange(app, _scope(scope, request), raising=raising)
    exchange.patience = patience
    try:
        with reading(request):
            await exchange.answered()
    except BaseException:
        await exchange.leave(0)
        raise
    library = library_of(request)
    stream = body(library, _nothing(), exchange)
    if exchange.status == OPENED:
        extensions: dict[str, Any] = {"network_stream": Wire(exchange)}
        return library.Response(OPENED, headers=exchange.headers, stream=stream, extensions=extensions, request=request)
    content = b"".join([chunk async for chunk in _rest(exchange)])
    await stream.aclose()
    extensions = {"websocket_close": exchange.refusal} if exchange.refusal else {}
    return library.Response(
        exchange.status or 500, headers=exchange.headers, content=content, extensions=extensions, request=request
    )


def _scope(scope: Message, request: Any) -> Message:
    names = request.headers.get("sec-websocket-protocol", "")
    common = {key: value for key, value in scope.items() if key != "method"}
    return common | {
        "type": "websocket",
        "scheme": {"http": "ws", "https": "wss"}.get(scope["scheme"], scope["scheme"]),
        "subprotocols": [name.strip() for name in names.split(",") if name.strip()],
        "extensions": {"websocket.http.response": {}},
    }


async def _rest(exchange: WebSocketExchange) -> AsyncIterator[bytes]:
    while chunk := await exchange.flow.read():
        yield chunk


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
