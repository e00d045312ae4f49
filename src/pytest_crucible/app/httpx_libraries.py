"""httpx and its successor httpx2, both of which call a transport in the same way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from importlib import import_module
from typing import Any

import anyio

from .exchange import Exchange

UNLIMITED = nullcontext()


def library_of(request: Any) -> Any:
    """Return the library of *request*: httpx or httpx2."""
    modules = [kind.__module__.partition(".")[0] for kind in type(request).__mro__]
    return import_module("httpx2" if "httpx2" in modules else "httpx")


def reading(request: Any) -> AbstractContextManager[None]:
    """Raise httpx's ReadTimeout if the block takes longer than the read timeout of *request*."""
    seconds = request.extensions.get("timeout", {}).get("read")
    return UNLIMITED if seconds is None else _limited(request, seconds)


@contextmanager
def _limited(request: Any, seconds: float) -> Iterator[None]:
    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError as error:
        message = f"the application has sent nothing for {seconds} seconds"
        raise library_of(request).ReadTimeout(message, request=request) from error


def body(library: Any, chunks: AsyncIterator[bytes], exchange: Exchange) -> Any:
    """Return the body of a response of *library*: *chunks*, which come as long as *exchange* lasts."""
    return _body_class(library)(chunks, exchange)


@cache
def _body_class(library: Any) -> type:
    class Body(library.AsyncByteStream):  # type: ignore[misc] # the library is known only at run time
        """A response's body."""

        def __init__(self, chunks: AsyncIterator[bytes], exchange: Exchange) -> None:
            self._chunks = chunks
            self._exchange = exchange

        def __aiter__(self) -> AsyncIterator[bytes]:
            return self._chunks

        async def aclose(self) -> None:
            """End the application, since the client reads no further."""
            if not self._exchange.call.ended:
                await self._exchange.leave()
            self._exchange.check()

    return Body
