"""A request and its answer over ASGI, while the application runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import anyio.lowlevel

from ..errors import ApplicationError
from .calls import Call, Flow, Signal

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]
PATIENCE_SECONDS = 2.0
Headers = list[tuple[bytes, bytes]]


class Exchange:
    """What HTTP and websockets have in common.

    Args:
        app: The application.
        scope: What it is called with.
        raising: Whether what it raises reaches the client.

    Attributes:
        patience: For how many seconds the application may go on when its client has left.
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
        """What the application is told."""
        raise NotImplementedError

    async def send(self, message: Message) -> None:
        """What the application says."""
        raise NotImplementedError

    def over(self, *, failed: bool) -> None:
        """The application has ended, or *failed*."""
        self.flow.close()

    def hang_up(self) -> None:
        """Tell the application that its client has left."""
        self.left = True
        self.flow.close()

    def _check_answer(self) -> None:
        """Raise if the application, which has ended, has not answered."""
        raise NotImplementedError

    async def leave(self, patience: float | None = None) -> None:
        """Hang up, and wait until the application has ended."""
        self.hang_up()
        await self.call.stop(self.patience if patience is None else patience)

    def check(self) -> None:
        """Raise what the application has raised, or that it has not said everything, once, if its client is to know.

        Raises:
            ApplicationError: If it has ended without the end of an answer.
            BaseException: Whatever it raised.
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
            del error  # or the traceback would refer to itself


class HttpExchange(Exchange):
    """One HTTP request.

    Args:
        app: The application.
        scope: What it is called with.
        body: The request's.
        raising: Whether what it raises reaches the client.
    """

    def __init__(self, app: App, scope: Message, body: AsyncIterator[bytes], *, raising: bool) -> None:
        self.complete = False  # the response is
        self._body: AsyncIterator[bytes] | None = body
        self._has_body = scope["method"] != "HEAD"
        super().__init__(app, scope, raising=raising)

    async def receive(self) -> Message:
        """A piece of the request's body; after it, in time, that the client has left."""
        if self._body is not None and not self.left:
            async for chunk in self._body:
                return {"type": "http.request", "body": chunk, "more_body": True}
            self._body = None
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.signal.until(lambda: self.left or self.complete)
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """The status, then the body piece by piece; waits while the client has not taken what is there."""
        if self.left:
            await anyio.lowlevel.checkpoint()  # to nobody, as under uvicorn; others get their turn
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
        """Wait for the beginning of the response; where that is all of it, until the application has ended."""
        await self.signal.until(lambda: self.status is not None or self.call.ended)
        await anyio.lowlevel.checkpoint()  # what it sends right away is no stream
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
    """Whether *error* says that the client has left: starlette.websockets.WebSocketDisconnect and its kin."""
    inner = getattr(error, "exceptions", None)
    return all(map(_says_left, inner)) if inner else "Disconnect" in type(error).__name__
