"""Exchanges over ASGI: a request and its answer while the application runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from ..errors import ApplicationError
from .calls import Call, Flow, Signal, pause

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]
PATIENCE_SECONDS = 2.0
Headers = list[tuple[bytes, bytes]]


class Exchange:
    """The common part of exchanges over HTTP and websockets.

    Args:
        app: The application.
        scope: The scope of its call.
        raising: Whether its errors reach the client.

    Attributes:
        patience: The seconds for which the application may continue after its client has left.
    """

    def __init__(self, app: App, scope: Message, *, raising: bool) -> None:
        self.patience = PATIENCE_SECONDS
        self.status: int | None = None
        self.headers: Headers = []
        self.left = False  # the client has
        self.signal = Signal()
        self.flow = Flow(self.signal)
        self._raising = raising
        self._checked = False
        self.name = f"{scope.get('method', 'WEBSOCKET')} {scope['path']}"
        self.call = Call(lambda: self._run(app, scope), self.signal, self.name)

    async def _run(self, app: App, scope: Message) -> None:
        __tracebackhide__ = True
        try:
            await app(scope, self.receive, self.send)
        except BaseException:
            self.over(failed=True)
            raise
        self.over(failed=False)

    async def receive(self) -> Message:
        """Return the next message to the application."""
        raise NotImplementedError

    async def send(self, message: Message) -> None:
        """Take a message of the application."""
        raise NotImplementedError

    def over(self, *, failed: bool) -> None:
        """Note that the application has returned, or *failed*."""
        self.flow.close()

    def hang_up(self) -> None:
        """Tell the application that its client has left."""
        self.left = True
        self.flow.close()

    def _check_answer(self) -> None:
        """Raise an error if the application, which has ended, has not answered."""
        raise NotImplementedError

    async def leave(self, patience: float | None = None) -> None:
        """Hang up, and wait until the application has ended."""
        self.hang_up()
        await self.call.stop(self.patience if patience is None else patience)

    def check(self) -> None:
        """Raise the application's error, or one for an incomplete answer, once, if its client is to get it.

        Raises:
            ApplicationError: If it has ended without the end of an answer.
            BaseException: If it raised one.
        """
        if self._checked or not self.call.ended:
            return
        self._checked = True
        error = self.call.take_error()
        if error is None and self._raising and not self.left:
            self._check_answer()
        if error is None or (isinstance(error, Exception) and not self._raising):
            return
        if self.left and _says_left(error):
            return
        __tracebackhide__ = True
        try:
            raise error
        finally:
            del error  # else the traceback would refer to itself


class HttpExchange(Exchange):
    """One HTTP request."""

    def __init__(self, app: App, scope: Message, body: AsyncIterator[bytes], *, raising: bool) -> None:
        self.complete = False  # the response is
        self._body: AsyncIterator[bytes] | None = body
        self._has_body = scope["method"] != "HEAD"
        super().__init__(app, scope, raising=raising)

    async def receive(self) -> Message:
        """Return a piece of the request's body; after its end, wait until the client has left."""
        if self._body is not None and not self.left:
            async for chunk in self._body:
                return {"type": "http.request", "body": chunk, "more_body": True}
            self._body = None
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.signal.until(lambda: self.left or self.complete)
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take the status, then the body piece by piece; wait while the client has too much to read."""
        if self.left:
            await pause()  # dropped, as by uvicorn; other tasks may run
            return
        if message["type"] == "http.response.start":
            self.headers = list(message.get("headers", ()))
            self.status = message["status"]
            self.signal.notify()
        elif message["type"] == "http.response.body":
            await self.flow.write(message.get("body", b"") if self._has_body else b"")
            if not message.get("more_body", False):
                self.complete = True
                self.flow.close()

    async def answered(self) -> None:
        """Wait for the beginning of the response; if that is all of it, wait until the application has ended."""
        await pause()  # most applications get to their end, or to their first wait
        await self.signal.until(lambda: self.status is not None or self.call.ended)
        if self.call.ended:
            return
        await pause()  # an answer sent without a pause is no stream
        if self.complete:
            await self.signal.until(lambda: self.call.ended)

    def _check_answer(self) -> None:
        if not self.complete:
            raise ApplicationError(
                f"The application ended without {'a' if self.status is None else 'the end of its'} response to"
                f" {self.name}.",
                why="A middleware or a raw ASGI application returns before it has sent one.",
                do="Have it send http.response.start, and http.response.body until more_body is false.",
            )


def _says_left(error: BaseException) -> bool:
    """Return whether *error* says that the client has left: starlette.websockets.WebSocketDisconnect and the like."""
    inner = getattr(error, "exceptions", None)
    return all(map(_says_left, inner)) if inner else "Disconnect" in type(error).__name__
