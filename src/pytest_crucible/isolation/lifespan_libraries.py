"""Lifespans as Starlette's TestClient and asgi-lifespan's LifespanManager run them.

This adapter uses these libraries by their public names. A project enters both by ``with`` or ``async with``, so
Crucible wraps the methods that these statements call, as soon as the project has imported the library.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..project.on_import import OnImport
from ..project.patches import Patches
from ..redirect.loops import running_loop

if TYPE_CHECKING:
    from .wide_lifespans import WideLifespans

# The limit for a loop in another thread; otherwise the libraries' own timeouts apply.
SECONDS = 60

Method = Callable[..., Any]


class ClientLifespan:
    """The lifespan of a TestClient, on a loop in a thread of its own."""

    def __init__(self, client: Any, enter: Method, leave: Method, websockets: weakref.WeakSet[Any]) -> None:
        self._client = client
        self._enter = enter
        self._leave = leave
        self._websockets = websockets

    def obstacle(self) -> str | None:
        """Return the reason if a websocket is open: the client would wait for its end."""
        portal = self._client.portal
        is_open = any(websocket.portal is portal for websocket in self._websockets)
        return "a websocket of the client is open" if is_open else None

    def stop(self) -> None:
        """Leave the client, which keeps its cookies, headers and state."""
        self._leave(self._client, None, None, None)

    def start(self) -> None:
        """Enter the client again."""
        self._enter(self._client)


class ManagedLifespan:
    """The lifespan of a LifespanManager, on the loop that it was started on."""

    def __init__(self, manager: Any, cls: Any, enter: Method, leave: Method) -> None:
        self.manager = manager
        self._first = manager
        self._class = cls
        self._enter = enter
        self._leave = leave
        self._loop = asyncio.get_running_loop()

    def obstacle(self) -> str | None:
        """Return the reason if its loop cannot run now."""
        if self._loop.is_closed():
            return "its event loop is closed"
        return "an event loop is running" if running_loop() is not None else None

    def stop(self) -> None:
        """Shut the application down on that loop."""
        self._run(lambda: self._leave(self.manager, None, None, None))

    def start(self) -> None:
        """Start the application up on that loop, by another manager: a manager cannot be entered twice."""
        self._run(self._start)

    async def _start(self) -> None:
        first = self._first
        # Through the first manager's `app`, as requests go: so they see the state that this start-up yields.
        manager = self._class(first.app, startup_timeout=first.startup_timeout, shutdown_timeout=first.shutdown_timeout)
        await self._enter(manager)
        self.manager = manager

    def _run(self, coroutine: Callable[[], Any]) -> None:
        if self._loop.is_running():  # in another thread
            asyncio.run_coroutine_threadsafe(coroutine(), self._loop).result(SECONDS)
        else:
            self._loop.run_until_complete(coroutine())


# A lifespan that a project's code has started, and that can be stopped and started again.
EnteredLifespan = ClientLifespan | ManagedLifespan


class Libraries:
    """The wrappers that tell *listener* of the lifespans that a project's code runs by one of the libraries."""

    def __init__(self, listener: WideLifespans) -> None:
        self._listener = listener
        self._entered: dict[int, Any] = {}
        self._patches = Patches()
        self._on_import = OnImport({"starlette.testclient": self._wrap_client, "asgi_lifespan": self._wrap_manager})

    def install(self) -> None:
        """Wrap the libraries' methods, now or right after a library's import."""
        self._on_import.install()

    def remove(self) -> None:
        """Restore the libraries' methods."""
        self._on_import.remove()
        self._patches.undo()

    def _wrap_client(self, module: ModuleType) -> None:
        client_class, websockets = module.TestClient, self._open_websockets(module.WebSocketTestSession)
        enter, leave = client_class.__enter__, client_class.__exit__

        def entering(client: Any) -> Any:
            __tracebackhide__ = True
            lifespan = ClientLifespan(client, enter, leave, websockets)
            with self._listener.starting(lifespan):
                entered = enter(client)
            self._entered[id(client)] = lifespan
            return entered

        def leaving(client: Any, *args: Any) -> Any:
            __tracebackhide__ = True
            lifespan = self._entered.pop(id(client), None)
            return leave(client, *args) if lifespan is None or self._listener.stopping(lifespan) else None

        self._patches.put(client_class, "__enter__", entering)
        self._patches.put(client_class, "__exit__", leaving)

    def _open_websockets(self, websocket_class: Any) -> weakref.WeakSet[Any]:
        """Return the websockets of *websocket_class* that are open, a set that follows them from now on."""
        open_websocket, close_websocket = websocket_class.__enter__, websocket_class.__exit__
        websockets: weakref.WeakSet[Any] = weakref.WeakSet()

        def opening(websocket: Any) -> Any:
            __tracebackhide__ = True
            opened = open_websocket(websocket)
            websockets.add(websocket)
            return opened

        def closing(websocket: Any, *args: Any) -> Any:
            __tracebackhide__ = True
            websockets.discard(websocket)
            return close_websocket(websocket, *args)

        self._patches.put(websocket_class, "__enter__", opening)
        self._patches.put(websocket_class, "__exit__", closing)
        return websockets

    def _wrap_manager(self, module: ModuleType) -> None:
        manager_class = module.LifespanManager
        enter, leave = manager_class.__aenter__, manager_class.__aexit__

        async def entering(manager: Any) -> Any:
            __tracebackhide__ = True
            if running_loop() is None:  # trio, whose applications have no connections of SQLAlchemy's
                return await enter(manager)
            lifespan = ManagedLifespan(manager, manager_class, enter, leave)
            with self._listener.starting(lifespan):
                entered = await enter(manager)
            self._entered[id(manager)] = lifespan
            return entered

        async def leaving(manager: Any, *args: Any) -> Any:
            __tracebackhide__ = True
            lifespan = self._entered.pop(id(manager), None)
            if lifespan is None:
                return await leave(manager, *args)
            return await leave(lifespan.manager, *args) if self._listener.stopping(lifespan) else None

        self._patches.put(manager_class, "__aenter__", entering)
        self._patches.put(manager_class, "__aexit__", leaving)
