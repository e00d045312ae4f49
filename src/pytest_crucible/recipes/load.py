"""``crucible_load``: the user's callable that fills a template."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

from ..errors import CrucibleError, UsageError
from ..lookup import lookup
from ..settings import Settings
from .failed import failed


def loader(settings: Settings) -> Callable[..., object] | None:
    """What ``crucible_load`` names.

    Raises:
        UsageError: If it is nothing that can be called.
    """
    found = lookup(settings.load, option="crucible_load", root=settings.root) if settings.load else None
    if found is not None and not callable(found):
        raise UsageError(
            f"crucible_load: {settings.load} is {type(found).__name__}, not a callable.",
            do="Name a function: it is called with no argument, or with one session.",
        )
    return found


def call(load: Callable[..., object], engine: Engine, path: str) -> None:
    """Run *load*, in a thread of its own if it is asynchronous: this one may be running a loop.

    Raises:
        TemplateError: If it raises.
    """
    wants_session = bool(inspect.signature(load).parameters)
    run: Callable[..., None] = _load_async if _is_async(load) else _load_sync
    try:
        run(load, engine, wants_session)
    except CrucibleError:
        raise
    except Exception as error:
        raise failed(f"crucible_load = {path!r}", error) from error


def in_thread(work: Callable[[], None], name: str = "crucible-load") -> None:
    """Run *work* in a thread of its own, whose event loops are no business of this one's; raises what it raises."""
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed to the caller
            errors.append(error)

    thread = threading.Thread(target=guarded, name=name)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


def _is_async(load: Callable[..., object]) -> bool:
    # Of an object with __call__, the method says it.
    return inspect.iscoroutinefunction(load) or inspect.iscoroutinefunction(getattr(load, "__call__", None))  # noqa: B004


def _load_sync(load: Callable[..., Any], engine: Engine, wants_session: bool) -> None:
    from sqlalchemy.orm import Session

    if not wants_session:
        load()
        return
    with Session(engine) as session:
        load(session)
        session.commit()


def _load_async(load: Callable[..., Any], engine: Engine, wants_session: bool) -> None:
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

    async def run() -> None:
        if not wants_session:
            await load()
            return
        async_engine = create_async_engine(engine.url, poolclass=NullPool)
        async with AsyncSession(async_engine) as session:
            await load(session)
            await session.commit()

    in_thread(lambda: asyncio.run(run()))
