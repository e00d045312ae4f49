"""Masks for passwords, in texts that users see and in values whose repr they see (``pytest --showlocals``)."""

from __future__ import annotations

import re
from typing import TypeVar

# Compiled on first use: every run of pytest in this environment imports them.
# A password that is not quoted may hold any character: the mask reaches to the last @ of its URL.
URL = r"""(//[^:/?#@\s]*):(?:\S*|[^/\n"']*)@"""
KEYWORD = r"""(?i)(\w*(?:password|passwd|pwd)\s*=\s*)(?:'(?:\\.|[^'\\])*(?:'|$)|[^\s&]+)"""

Failure = TypeVar("Failure", bound=BaseException)


def mask(text: str) -> str:
    """Return *text* with the passwords of URLs and of connection strings replaced by ``***``."""
    return re.sub(KEYWORD, r"\1***", re.sub(URL, r"\1:***@", str(text)))


class Masked(str):
    """A text that may hold passwords, such as a URL; its repr shows none."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str.__repr__(mask(self))


class Password(str):
    """A password; its repr does not show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def without_frames(error: Failure) -> Failure:
    """Return *error* without the frames of the driver that raised it: their variables hold passwords.

    The frame that has caught it stays, so that the error keeps a traceback.
    """
    if error.__traceback__ is not None:
        error.__traceback__.tb_next = None
    waiting = [error.__cause__, error.__context__]
    while waiting:
        inner = waiting.pop()
        if inner is not None and inner.__traceback__ is not None:
            inner.__traceback__ = None
            waiting += [inner.__cause__, inner.__context__]
    return error
