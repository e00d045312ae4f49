"""What Alembic's scripts find around them, and what is as it was when they are done.

An ``env.py`` is written for the command line: it runs in the folder of ``alembic.ini``, configures logging for the
whole process (``fileConfig`` disables every logger that is there and replaces the root's handlers, pytest's among
them), changes `sys.path`, and calls ``asyncio.run``.
"""

from __future__ import annotations

import inspect
import logging
import logging.config
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

CONFIGURING = ("fileConfig", "dictConfig")


@contextmanager
def surroundings(folder: Path, scripts: Path) -> Iterator[None]:
    """Be in *folder* meanwhile, and put back afterwards what code in *scripts* does to the process."""
    with ExitStack() as stack:
        for part in (_inside(folder), _import_path(), _loggers(), _unconfigured(scripts), _mere_warnings(), _proxies()):
            stack.enter_context(part)
        yield


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _import_path() -> Iterator[None]:
    # Of the same list: others hold it. The entry "." would mean another folder as soon as this is over.
    before = list(sys.path)
    _forget_relative()
    try:
        yield
    finally:
        sys.path[:] = before
        _forget_relative()


def _forget_relative() -> None:
    """Python keeps for "." the folder that it was when it was first looked into."""
    for entry in list(sys.path_importer_cache):
        if not os.path.isabs(entry):  # noqa: PTH117 - an entry may be anything
            del sys.path_importer_cache[entry]


@contextmanager
def _loggers() -> Iterator[None]:
    """Loggers that were enabled stay so, and handlers of the root stay; what is added, stays too."""
    root = logging.getLogger()
    handlers = list(root.handlers)
    known = [item for item in root.manager.loggerDict.values() if isinstance(item, logging.Logger)]
    enabled = [logger for logger in known if not logger.disabled]
    try:
        yield
    finally:
        root.handlers[:] = handlers + [handler for handler in root.handlers if handler not in handlers]
        for logger in enabled:
            logger.disabled = False


@contextmanager
def _unconfigured(scripts: Path) -> Iterator[None]:
    """What files in *scripts* ask `logging.config` for is left undone; it would close pytest's handlers for good."""
    real = {name: getattr(logging.config, name) for name in CONFIGURING}

    def unless_scripts(configure: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*arguments: Any, **words: Any) -> Any:
            frame = inspect.currentframe()
            caller = frame.f_back if frame else None
            if caller is not None and scripts in Path(caller.f_code.co_filename).resolve().parents:
                return None
            return configure(*arguments, **words)

        return guarded

    for name, configure in real.items():
        setattr(logging.config, name, unless_scripts(configure))
    try:
        yield
    finally:
        for name, configure in real.items():
            setattr(logging.config, name, configure)


@contextmanager
def _mere_warnings() -> Iterator[None]:
    """Warnings are shown and no errors, as on the command line: which test migrates first must make no difference."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.simplefilter("ignore", ResourceWarning)  # an engine that is dropped with a connection in its pool
        yield


@contextmanager
def _proxies() -> Iterator[None]:
    """``alembic.context`` and ``alembic.op`` stand for one run at a time, and for none once that is over.

    A test may have begun to run Alembic itself, on the database that has to be built for it first.
    """
    from alembic import context, op

    before = [(vars(module), dict(vars(module))) for module in (context, op)]
    try:
        yield
    finally:
        for now, then in before:
            now.clear()
            now.update(then)
