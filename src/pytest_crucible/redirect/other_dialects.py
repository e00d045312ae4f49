"""Engines of the project that do not speak PostgreSQL: nothing isolates what they write.

An application whose URL is a default (``sqlite:///app.db``) would run below a header that promises PostgreSQL. Engines
that a library makes for itself, a cache or a job store, do not count; the caller of `create_engine` tells them apart.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import warnings
import weakref
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

import sqlalchemy
from sqlalchemy.engine.interfaces import Dialect

from ..errors import OtherDialectWarning, RedirectError, locations
from ..errors.locations import CodeLocation
from ..project.patches import Patches

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

_SITE = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
# Code that makes engines for its caller: SQLAlchemy, SQLModel, which passes its create_engine on, and executors.
_SQLALCHEMY = (os.path.dirname(sqlalchemy.__file__) + os.sep, "<")  # noqa: PTH120 - compared with code's file names
_SQLMODEL = f"{_SITE[0]}sqlmodel{os.sep}"
SQLITE = " Leave out what only SQLite needs: check_same_thread in connect_args, poolclass=StaticPool."
_PYTHON = sysconfig.get_path("stdlib") + os.sep


@dataclass
class OtherEngine:
    """An engine of another dialect that connected.

    Attributes:
        dialect: ``sqlite``, ``mysql`` …
        is_async: Whether its driver is asynchronous.
        made: The line that made it.
        tested: Whether a connection of it was checked out during a test.
        said: Whether the warning was given.
    """

    dialect: str
    is_async: bool
    made: CodeLocation
    tested: bool = False
    said: bool = False

    def __str__(self) -> str:
        return f"the engine made at {self.made} speaks {self.dialect}"

    def remedy(self) -> str:
        """Return the advice on what to write instead."""
        drivername = "postgresql+asyncpg" if self.is_async else "postgresql+psycopg"
        return (
            f"Give it the URL of a PostgreSQL database, for example {drivername}://app@localhost/app: no server needs"
            f" to run there, since Crucible leads the engine to its own.{SQLITE if self.dialect == 'sqlite' else ''} If"
            " the URL comes from an environment variable,"
            f' let Crucible set it: crucible_url_env = ["DATABASE_URL={drivername}"]. If the tests need this other'
            ' database, set crucible_other_dialects = "allow".'
        )


class OtherEngines:
    """The project's engines in this process that do not speak PostgreSQL.

    Args:
        mode: ``crucible_other_dialects``.
        packages: The top-level packages of the application, which may be installed like a library.

    Attributes:
        met: Those that connected, in this order.
    """

    def __init__(self, mode: str, packages: Collection[str]) -> None:
        self.met: list[OtherEngine] = []
        self._mode = mode
        self._packages = packages
        self._testing = False
        # By dialect: each engine has one of its own, and connects through it.
        self._made: weakref.WeakKeyDictionary[Dialect, OtherEngine] = weakref.WeakKeyDictionary()
        # Engines that the same line makes in each test count as one.
        self._lines: dict[tuple[CodeLocation, str], OtherEngine] = {}
        self._patches = Patches()

    def install(self) -> None:
        """Note the lines that make engines, by the dialects' public hook ``engine_created``."""
        if self._mode == "allow":
            return
        original, note = vars(Dialect)["engine_created"], self._note

        def engine_created(cls: type[Dialect], engine: Engine) -> None:
            note(engine, sys._getframe(1))
            original.__get__(None, cls)(engine)

        self._patches.put(Dialect, "engine_created", classmethod(engine_created))

    def remove(self) -> None:
        """Undo `install`."""
        self._patches.undo()

    def connecting(self, dialect: Dialect) -> OtherEngine | None:
        """Return the engine of *dialect*, which is about to connect; None for a library's engine.

        Raises:
            RedirectError: If ``crucible_other_dialects`` is ``"error"``.
        """
        engine = self._made.get(dialect)
        if engine is None:
            return None
        if not any(engine is known for known in self.met):
            self.met.append(engine)
        if self._mode == "error":
            raise RedirectError(
                _sentence(engine), why='crucible_other_dialects = "error" refuses it.', do=engine.remedy()
            )
        return engine

    def checked_out(self, engine: OtherEngine) -> None:
        """Note that a connection of *engine* was handed out."""
        engine.tested = engine.tested or self._testing

    def begin_test(self) -> None:
        """Note what is handed out from now on as used by a test."""
        self._testing = True

    def end_test(self) -> None:
        """Warn of engines that no warning has named yet."""
        self._testing = False
        if self.met:
            self._warn([engine for engine in self.met if not engine.said])

    def _warn(self, engines: Iterable[OtherEngine]) -> None:
        """Warn of *engines* in one warning: a filter that makes it an error must show them all."""
        texts = []
        for engine in engines:
            engine.said = True
            texts.append(
                f"{_sentence(engine)} What it writes stays from test to test.\n"
                "Probably its URL is a default that applies when an environment variable is not set.\n"
                + engine.remedy()
            )
        if texts and self._mode == "warn":
            location = self.met[-len(texts)].made
            warning = OtherDialectWarning("\n".join(texts))
            warnings.warn_explicit(warning, OtherDialectWarning, location.code.co_filename, location.line)

    def _note(self, engine: Engine, frame: FrameType | None) -> None:
        if engine.dialect.name == "postgresql":
            return
        while frame is not None and _passes_on(frame.f_code.co_filename):
            frame = frame.f_back
        if frame is not None and self._is_own(frame):
            location = CodeLocation(frame.f_code, frame.f_lineno)
            other = OtherEngine(engine.dialect.name, engine.dialect.is_async, location)
            self._made[engine.dialect] = self._lines.setdefault((location, engine.dialect.name), other)

    def _is_own(self, frame: FrameType) -> bool:
        package = str(frame.f_globals.get("__name__")).partition(".")[0]
        return package in self._packages or not locations.is_library(frame.f_code.co_filename)


def _sentence(engine: OtherEngine) -> str:
    return f"{str(engine)[0].upper()}{str(engine)[1:]}, and Crucible isolates PostgreSQL only."


def _passes_on(filename: str) -> bool:
    """Return whether code of this file makes engines for its caller."""
    if any(part in filename for part in _SITE):
        return filename.startswith(_SQLALCHEMY[0]) or _SQLMODEL in filename
    return filename.startswith((*_SQLALCHEMY, _PYTHON))
