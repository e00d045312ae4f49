"""The cost of a request over ASGI: httpx's own transport and Crucible's, which streams.

Run ``python benchmarks/transports.py [blocks]``: ``httpx.AsyncClient`` over both, in turns, asks an application that
answers at once, so that client and transport are nearly all of the cost; then one of FastAPI. Measured is the processor
time of this thread, in which everything runs. The last side is httpx's transport with the application in a task of its
own, which no transport that streams can do without.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx
from fastapi import FastAPI
from figures import interleaved, judged, load, machine, ratio, spread, table

from pytest_crucible import AsgiTransport
from pytest_crucible.app import BASE_URL

LIMIT = 1.3
BATCH = 100
BODY = {"name": "ada", "visits": 3}


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """Answer without a framework."""
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"name": "ada"}'})


def framework() -> FastAPI:
    """Return an application of FastAPI."""
    app = FastAPI()

    @app.get("/")
    async def read() -> dict[str, str]:
        return {"name": "ada"}

    @app.post("/")
    async def write(body: dict[str, Any]) -> dict[str, Any]:
        return body

    return app


def in_a_task(app: Any) -> httpx.ASGITransport:
    """Return httpx's transport to *app*, called in a task of its own."""

    async def call(*words: Any) -> None:
        await asyncio.create_task(app(*words))

    return httpx.ASGITransport(call)


TRANSPORTS = {"httpx's": httpx.ASGITransport, "Crucible's": AsgiTransport, "a task": in_a_task}


async def batch(client: httpx.AsyncClient, method: str) -> float:
    """Return the processor time of a request, the mean of a batch."""
    words = {"json": BODY} if method == "POST" else {}
    began = time.thread_time()
    for _ in range(BATCH):
        response = await client.request(method, "/", **words)
        assert response.json()["name"] == "ada"
    return (time.thread_time() - began) / BATCH


def row(name: str, app: Any, method: str, loop: asyncio.AbstractEventLoop, blocks: int) -> tuple[object, ...]:
    """Return the figures of one kind of request."""

    def act(transport: Callable[..., Any]) -> Callable[[], float]:
        client = httpx.AsyncClient(transport=transport(app), base_url=BASE_URL, timeout=None)  # noqa: S113 # no network
        return lambda: loop.run_until_complete(batch(client, method))

    found = interleaved({name: act(kind) for name, kind in TRANSPORTS.items()}, blocks=blocks, rounds=10)
    micro = [spread([value * 1e6 for block in found for value in block[name]]) for name in TRANSPORTS]
    times, task = (ratio(found, name, "httpx's") for name in ("Crucible's", "a task"))
    return f"{method}, {name}", *micro, task, times, judged(times.median, LIMIT)


def main(blocks: int) -> None:
    """Print the table."""
    loop = asyncio.new_event_loop()
    apps = {"a bare application": bare, "FastAPI": framework()}
    rows = [row(name, app, method, loop, blocks) for name, app in apps.items() for method in ("GET", "POST")]
    loop.close()
    header = ("request", *(f"{name}, µs" for name in TRANSPORTS), "a task, times httpx's", "times httpx's", "expected")
    table("a request over ASGI", header, rows)


if __name__ == "__main__":
    machine()
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
    load()
