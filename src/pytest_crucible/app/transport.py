"""An httpx transport that calls an ASGI application, and passes its answer on as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx

from .exchange import PATIENCE_SECONDS, App, HttpExchange, Message
from .httpx_libraries import body, library_of, reading

INTERNAL_ERROR = b"Internal Server Error"


class AsgiTransport(httpx.AsyncBaseTransport):
    """A transport to an ASGI application without a network, for ``httpx.AsyncClient`` and ``httpx2.AsyncClient``.

    httpx's own ASGITransport returns the response when the application has ended. This one returns it when it begins:
    server-sent events arrive while the application runs. An answer that is read to its end, as by ``get()`` and
    ``post()``, still waits for the whole call, background tasks included. If a client leaves before, the application
    gets ``http.disconnect``. Websockets work with httpx-ws: ``aconnect_ws("/chat", client)``.

    Args:
        app: The application. Its lifespan is not run.
        raise_app_exceptions: Whether an exception that the application does not handle reaches the caller, or is
            answered with 500 as in production. One request sets it for itself:
            ``extensions={"raise_app_exceptions": False}``.
        root_path: The path at which the application is mounted.
        client: The address that requests come from.
        patience: The seconds for which an application may continue after its client has left a stream or a websocket,
            before it is cancelled.
    """

    def __init__(
        self,
        app: Any,
        raise_app_exceptions: bool = True,
        root_path: str = "",
        client: tuple[str, int] = ("127.0.0.1", 123),
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self.app: App = app
        self.raise_app_exceptions = raise_app_exceptions
        self.root_path = root_path
        self.client = client
        self.patience = patience

    async def handle_async_request(self, request: Any) -> Any:
        """Return the response to *request*; its body comes as the application sends it.

        Raises:
            ApplicationError: If the application ends without an answer.
            httpx.ReadTimeout: If the answer, or a piece of it, takes longer than the request's read timeout.
        """
        __tracebackhide__ = True
        raising = request.extensions.get("raise_app_exceptions", self.raise_app_exceptions)
        scope = self._scope(request)
        if scope["scheme"] in ("ws", "wss") or dict(scope["headers"]).get(b"upgrade", b"").lower() == b"websocket":
            from .websockets import connect

            return await connect(self.app, scope, request, raising=raising, patience=self.patience)
        exchange = HttpExchange(self.app, scope, request.stream.__aiter__(), raising=raising)
        exchange.patience = self.patience
        try:
            with reading(request):
                await exchange.answered()
        except BaseException:
            await exchange.leave(0)  # at once: a cancelled task should not wait
            raise
        if exchange.call.ended:
            exchange.check()
        return _response(request, exchange)

    def _scope(self, request: Any) -> Message:
        url = request.url
        return {
            "type": "http",
            # As under uvicorn: with 2.4, an application would not listen for http.disconnect.
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.partition(b"?")[0],
            "query_string": url.query,
            "server": (url.host, url.port),
            "client": self.client,
            "root_path": self.root_path,
        }


def _response(request: Any, exchange: HttpExchange) -> Any:
    library = library_of(request)
    if exchange.status is None:
        headers = {"content-type": "text/plain; charset=utf-8"}
        return library.Response(500, headers=headers, content=INTERNAL_ERROR, request=request)
    return library.Response(
        exchange.status,
        headers=exchange.headers,
        stream=body(library, _chunks(request, exchange), exchange),
        request=request,
    )


async def _chunks(request: Any, exchange: HttpExchange) -> AsyncIterator[bytes]:
    while True:
        with reading(request):
            chunk = await exchange.flow.read()
        if not chunk:
            break
        yield chunk
    await exchange.signal.until(lambda: exchange.call.ended)
    exchange.check()
    if not exchange.complete and not exchange.left:
        raise library_of(request).RemoteProtocolError(
            "peer closed connection without sending complete message body", request=request
        )
