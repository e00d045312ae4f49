"""Locations in the user's code: cheap enough to find for every checkout of a connection."""

from __future__ import annotations

import asyncio
import os
import sys
import sysconfig
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

# The text for a location that was not found.
UNKNOWN = "an unknown location"
_PARTS = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}", "<")
_FOLDERS = tuple(
    folder + os.sep
    for folder in (
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("platstdlib"),
        str(Path(__file__).parent.parent),
    )
)
# The functions that run an event loop; uvloop has no Python frames.
_LOOPS = {
    running.__code__
    for running in (asyncio.BaseEventLoop.run_forever, getattr(getattr(asyncio, "Runner", None), "run", None))
    if running is not None
}
_library: dict[str, bool] = {}
# The request that code runs in, if it came through one of Crucible's transports.
REQUEST: ContextVar[object] = ContextVar("crucible_request", default=None)


class CodeLocation(NamedTuple):
    """A line of code; its text is made on demand."""

    code: CodeType
    line: int

    def __str__(self) -> str:
        """Return for example ``tests/test_x.py:12 in test_x``."""
        path = self.code.co_filename
        near = os.path.relpath(path)
        return f"{path if near.startswith(os.pardir) else near}:{self.line} in {self.code.co_name}"


def here(*, across_loops: bool = True) -> CodeLocation | None:
    """Return the innermost line of the user's own code on the call stack, or None.

    Args:
        across_loops: Whether to look beyond the frames that run the event loop, too.
    """
    location = innermost(sys._getframe(1), across_loops=across_loops)
    greenlet = sys.modules.get("greenlet")
    if location is not None or greenlet is None:
        return location
    # SQLAlchemy runs its synchronous core in a greenlet; the code that awaits it is in the parent's frames.
    parent = greenlet.getcurrent().parent
    while location is None and parent is not None:
        location = innermost(parent.gr_frame, across_loops=across_loops)
        parent = parent.parent
    return location


def cause() -> CodeLocation | None:
    """Return `here`, but prefer a line that awaits the running task to one that runs the event loop; slower."""
    return here(across_loops=False) or awaiting() or here()


def awaiting() -> CodeLocation | None:
    """Return the line of the user's own code that awaits the running task, or None.

    SQLAlchemy commits at the end of ``async with session.begin()`` in a separate task, so that a cancellation cannot
    interrupt it; that task's stack ends with itself. The coroutine that awaits it holds it in a local variable. The
    search is slow: use it only for locations that a user asked to see.
    """
    try:
        running = asyncio.current_task()
    except RuntimeError:
        return None
    for task in asyncio.all_tasks() if running is not None else ():
        frames = list(suspended(task.get_coro()))
        if any(value is running for frame in frames for value in frame.f_locals.values()):
            return next(filter(None, map(innermost, reversed(frames))), None)
    return None


def suspended(coroutine: Any) -> Iterator[FrameType]:
    """Yield the frames in which *coroutine* is suspended, the outermost first."""
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is not None:
            yield frame
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)


def innermost(frame: FrameType | None, *, across_loops: bool = True) -> CodeLocation | None:
    """Return the first line of the user's own code from *frame* outwards, or None."""
    while frame is not None:
        code = frame.f_code
        if not across_loops and code in _LOOPS:
            return None
        name = code.co_filename
        known = _library.get(name)
        if known is None:
            known = _library[name] = is_library(name)
        if not known:
            return CodeLocation(code, frame.f_lineno)
        frame = frame.f_back
    return None


def of_error(error: BaseException) -> str:
    """Return the user's line that raised *error*, and the outermost one if it is another; "" for none."""
    lines = []
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not is_library(code.co_filename):
            lines.append(CodeLocation(code, traceback.tb_lineno))
        traceback = traceback.tb_next
    ends = dict.fromkeys(map(str, [*lines[-1:], *lines[:1]]))
    return ", called at ".join(ends)


def caller(cls: type[T]) -> T | None:
    """Return the innermost *cls* object with a method on the call stack; too slow for all but a new connection."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        subject = frame.f_locals.get("self")
        if isinstance(subject, cls):
            return subject
        frame = frame.f_back
    return None


def is_library(filename: str) -> bool:
    """Return whether the file belongs to Python, an installed library, or Crucible."""
    return filename.startswith(_FOLDERS) or any(part in filename for part in _PARTS)
