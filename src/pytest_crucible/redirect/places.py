"""Where in the user's code something happens: cheap enough for every checkout."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path
from types import CodeType, FrameType
from typing import NamedTuple, TypeVar

T = TypeVar("T")

_PARTS = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}", "<")
_FOLDERS = tuple(
    folder + os.sep
    for folder in (
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("platstdlib"),
        str(Path(__file__).parent.parent),
    )
)
_library: dict[str, bool] = {}


class Place(NamedTuple):
    """A line of code; the text is made when somebody asks."""

    code: CodeType
    line: int

    def __str__(self) -> str:
        """For example ``tests/test_x.py:12 in test_x``."""
        path = self.code.co_filename
        near = os.path.relpath(path)
        return f"{path if near.startswith(os.pardir) else near}:{self.line} in {self.code.co_name}"


def here() -> Place | None:
    """The innermost line of the user's own code that led here, or None."""
    place = innermost(sys._getframe(1))
    greenlet = sys.modules.get("greenlet")
    if place is not None or greenlet is None:
        return place
    # SQLAlchemy runs its synchronous core in a greenlet; who awaits it is in the parent's frames.
    parent = greenlet.getcurrent().parent
    while place is None and parent is not None:
        place = innermost(parent.gr_frame)
        parent = parent.parent
    return place


def innermost(frame: FrameType | None) -> Place | None:
    """The first line of the user's own code from *frame* outwards, or None."""
    while frame is not None:
        code = frame.f_code
        name = code.co_filename
        known = _library.get(name)
        if known is None:
            known = _library[name] = _is_library(name)
        if not known:
            return Place(code, frame.f_lineno)
        frame = frame.f_back
    return None


def caller(cls: type[T]) -> T | None:
    """The innermost object of *cls* one of whose methods led here; too dear for anything but a new connection."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        subject = frame.f_locals.get("self")
        if isinstance(subject, cls):
            return subject
        frame = frame.f_back
    return None


def _is_library(filename: str) -> bool:
    return filename.startswith(_FOLDERS) or any(part in filename for part in _PARTS)
