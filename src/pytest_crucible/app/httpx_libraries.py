"""httpx and httpx2: one is the other's successor, and a transport is asked by both in the same words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any

import anyio

from .exchange import Exchange


def library_of(request: Any) -> Any:
    """httpx or httpx2, whichever *request* is of."""
    modules = [kind.__module__.partition(".")[0] for kind in type(request).__mro__]
    return import_module("httpx2" if "httpx2" in modules else "httpx")


@contextmanager
def reading(request: Any) -> Iterator[None]:
    """What takes longer in here than the read timeout of *request* is httpx's ReadTimeout."""
    seconds = request.extensions.get("timeout", {}).get("read")
    if seconds is None:
        yield
        return
    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError as error:
        found = f"the application has sent nothing for {seconds} seconds"
        raise library_of(request).ReadTimeout(found, request=request) from error


def body(request: Any, chunks: AsyncIterator[bytes], exchange: Exchange) -> Any:
    """The body of the response to *request*: *chunks*, which come as long as *exchange* goes on."""
    return _body_class(library_of(request))(chunks, exchange)


@cache
def _body_class(library: Any) -> type:
    class Body(library.AsyncByteStream):  # type: ignore[misc] # whose, is known only now
        """A response's body.

        Args:
            chunks: What it consists of.
            exchange: What it belongs to.
        """

        def __init__(self, chunks: AsyncIterator[bytes], exchange: Exchange) -> None:
            self._chunks = chunks
            self._exchange = exchange

        def __aiter__(self) -> AsyncIterator[bytes]:
            return self._chunks

        async def aclose(self) -> None:
            """The client has what it wanted: the application ends, too."""
            if not self._exchange.call.ended:
                await self._exchange.leave()
            self._exchange.check()

    return Body
