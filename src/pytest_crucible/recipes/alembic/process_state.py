"""The state of the process for Alembic's scripts, restored after they have run.

An ``env.py`` is written for the command line: it runs in the folder of ``alembic.ini``, configures logging for the
whole process (``fileConfig`` disables every existing logger and replaces the root's handlers, pytest's among them),
changes `sys.path`, and calls ``asyncio.run``.
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
def isolated(folder: Path, scripts: Path) -> Iterator[None]:
    """Enter *folder* for the block, and restore afterwards the state that code in *scripts* changes."""
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
    # The same list object is restored, since other code refers to it. The entry "." means another folder afterwards.
    before = list(sys.path)
    _forget_relative()
    try:
        yield
    finally:
        sys.path[:] = before
        _forget_relative()


def _forget_relative() -> None:
    """Remove relative entries from Python's cache, which keeps for "." the folder of its first use."""
    for entry in list(sys.path_importer_cache):
        if not os.path.isabs(entry):  # noqa: PTH117 - an entry may be anything
            del sys.path_importer_cache[entry]


@contextmanager
def _loggers() -> Iterator[None]:
    """Restore enabled loggers and the root's handlers afterwards; handlers added in the block stay, too."""
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
    """Ignore calls of `logging.config` by files in *scripts*: they would close pytest's handlers for good."""
    real = {name: getattr(logging.config, name) for name in CONFIGURING}

    def unless_scripts(configure: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*args: Any, **kwargs: Any) -> Any:
            frame = inspect.currentframe()
            caller = frame.f_back if frame else None
            if caller is not None and scripts in Path(caller.f_code.co_filename).resolve().parents:
                return None
            return configure(*args, **kwargs)

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
    """Show warnings, and raise none as errors, as on the command line, whichever test migrates first."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.simplefilter("ignore", ResourceWarning)  # for an engine collected with a connection in its pool
        yield


@contextmanager
def _proxies() -> Iterator[None]:
    """Restore ``alembic.context`` and ``alembic.op``, which are proxies of one run at a time.

    A test may have begun to run Alembic itself, on the database that this run builds first.
    """
    from alembic import context, op

    before = [(vars(module), dict(vars(module))) for module in (context, op)]
    try:
        yield
    finally:
        for current, saved in before:
            current.clear()
            current.update(saved)
