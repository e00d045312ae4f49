"""The application's sessionmaker: the class of its sessions, and their ``expire_on_commit``.

A test's session should behave as the application's sessions do: without ``expire_on_commit``, an object keeps forever
the values that it had when the test committed it.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NamedTuple, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from ..errors.locations import is_library
from ..settings import Settings
from ..settings.lookup import loaded

T = TypeVar("T")

TESTS = r"(^|\.)(tests?|conftest|test_\w+|\w+_test)(\.|$)"
OF_SESSION = frozenset(inspect.signature(Session.__init__).parameters)
# How far a dependency's calls are followed to the sessionmaker.
DEPTH = 3


class Making(NamedTuple):
    """The class and the arguments of a session.

    Attributes:
        kind: Its class.
        expire_on_commit: As `Session` takes it.
        own: Additional arguments of the class, which `Session` does not have.
    """

    kind: type[Session] = Session
    expire_on_commit: bool = True
    own: tuple[tuple[str, Any], ...] = ()

    @property
    def kwargs(self) -> dict[str, Any]:
        """The keyword arguments of the class."""
        return {**dict(self.own), "expire_on_commit": self.expire_on_commit}


class Sessionmakers:
    """The sessionmakers of the application's modules.

    Args:
        settings: What the user set.
        dependencies: Returns callables that the application's routes depend on; called only if sessionmakers disagree.
    """

    def __init__(self, settings: Settings, dependencies: Callable[[], Iterable[Any]]) -> None:
        self._settings = settings
        self._dependencies = dependencies
        self._found: tuple[int, list[Any], list[Any]] = (0, [], [])

    def synchronous(self) -> Making:
        """Return the class and the arguments of a test's synchronous session."""
        making = self._agreed(_is_synchronous, _making) or self._agreed(_is_asynchronous, self._inner) or Making()
        expires = {"always": True, "never": False}.get(self._settings.expire_on_commit, making.expire_on_commit)
        return making._replace(expire_on_commit=expires)

    def asynchronous_expires(self) -> bool:
        """Return whether a test's asynchronous session expires what it commits."""
        if self._settings.expire_on_commit == "application":
            expires = self._agreed(_is_asynchronous, _expires)
            return True if expires is None else expires  # SQLAlchemy's default
        return self._settings.expire_on_commit == "always"

    def _inner(self, maker: Any) -> Making:
        """Return the making of the synchronous session inside each session of an asynchronous *maker*.

        Its ``expire_on_commit`` is not meant for synchronous sessions: most makers set it to False, since an expired
        attribute cannot be loaded without ``await``.
        """
        kind = maker.kw.get("sync_session_class") or maker.class_.sync_session_class
        expires = _expires(maker) if self._settings.expire_on_commit == "application" else True
        return Making(kind if _is_made_by(kind, {}) else Session, expires)

    def _agreed(self, counts: Callable[[Any], bool], read: Callable[[Any], T]) -> T | None:
        """Return what *read* returns for each maker that *counts*, if all agree; else None.

        If all makers disagree, those that the routes use decide, then those below the root. A neighbour of the project,
        such as a library that is installed in editable mode, may have makers as well.
        """
        if not any(map(counts, self._all())):
            return None
        for makers in (self._all, self._of_dependencies, self._of_root):
            values = [read(maker) for maker in makers() if counts(maker)]
            if values and all(value == values[0] for value in values):
                return values[0]
        return None

    def _all(self) -> list[Any]:
        return self._search()[1]

    def _of_root(self) -> list[Any]:
        return self._search()[2]

    def _search(self) -> tuple[int, list[Any], list[Any]]:
        """Return the number of modules, the makers in those of the application, and in those below the root."""
        if self._found[0] != len(sys.modules):
            modules = list(_modules(self._settings))
            near = [module for module in modules if Path(str(module.__file__)).is_relative_to(self._settings.root)]
            self._found = (len(sys.modules), self._in(modules), self._in(near))
        return self._found

    def _in(self, modules: list[ModuleType]) -> list[Any]:
        """Return the makers of *modules*, except those of other databases."""
        values = {id(value): value for module in modules for value in list(vars(module).values())}.values()
        own = {name for name, *_ in (entry.partition("=") for entry in self._settings.databases)}
        return [maker for maker in _makers(values) if _database(maker) not in own or not self._has_main()]

    def _has_main(self) -> bool:
        return self._settings.has_main

    def _of_dependencies(self) -> list[Any]:
        named = loaded(self._settings.get_session) if self._settings.get_session else None
        for functions in ([named] if named is not None else [], self._dependencies()):
            if makers := list({id(maker): maker for each in functions for maker in _used_by(each, DEPTH)}.values()):
                return makers
        return []


def is_asynchronous(function: Any) -> bool | None:
    """Return whether the sessions that *function* makes are asynchronous; None if that is unknown."""
    kinds = {_is_asynchronous(maker) for maker in _used_by(function, DEPTH)}
    return kinds.pop() if len(kinds) == 1 else None


def _modules(settings: Settings) -> Iterator[ModuleType]:
    """Yield the project's imported modules, except those of its tests."""
    own = {path.partition(":")[0].partition(".")[0] for path in settings.paths}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or re.search(TESTS, name):
            continue
        if name.partition(".")[0] in own or not is_library(file):
            yield module


def _makers(values: Iterable[Any], names: frozenset[str] | None = None) -> Iterator[Any]:
    """Yield each sessionmaker in *values* and in the attributes of the project's own objects among them.

    Args:
        values: The objects to search.
        names: If not None, only attributes of these names count.
    """
    seen: set[int] = set()
    for value in values:
        attributes = dict(vars(value)) if _is_of_project(value, modules=names is not None) else {}
        for each in (value, *(attributes[name] for name in attributes if names is None or name in names)):
            maker = getattr(each, "session_factory", each) if isinstance(each, SCOPED) else each
            if isinstance(maker, MAKERS) and id(maker) not in seen:
                seen.add(id(maker))
                yield maker


MAKERS = (sessionmaker, async_sessionmaker)
SCOPED = (scoped_session, async_scoped_session)


def _is_of_project(value: Any, *, modules: bool) -> bool:
    """Return whether *value* is a class or object of the project; if *modules* count, also its modules."""
    if isinstance(value, ModuleType):
        file = getattr(value, "__file__", None) if modules else None
    else:
        kind = value if isinstance(value, type) else type(value)
        file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return isinstance(file, str) and not is_library(file) and hasattr(value, "__dict__")


def _used_by(function: Any, depth: int) -> Iterator[Any]:
    """Yield the sessionmakers that *function* names, or a function of the project that it names."""
    owner = getattr(function, "__self__", None)
    function = inspect.unwrap(function) if callable(function) else function
    function = getattr(function, "__func__", function)
    if not isinstance(function, FunctionType) or is_library(function.__code__.co_filename) or not depth:
        return
    names = frozenset(function.__code__.co_names)
    values = [] if owner is None else [owner]
    values += [function.__globals__[name] for name in names if name in function.__globals__]
    values += [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
    yield from _makers(values, names)
    for value in values:
        yield from _used_by(value, depth - 1)


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 # raises where it is empty
    except ValueError:
        return False
    return True


def _is_asynchronous(maker: Any) -> bool:
    return issubclass(maker.class_, AsyncSession)  # SQLAlchemy 1.4's way: sessionmaker(class_=AsyncSession)


def _is_synchronous(maker: Any) -> bool:
    return not _is_asynchronous(maker)


def _expires(maker: Any) -> bool:
    return bool(maker.kw.get("expire_on_commit", True))


def _database(maker: Any) -> str | None:
    return getattr(getattr(maker.kw.get("bind"), "url", None), "database", None)


def _making(maker: Any) -> Making:
    # A sessionmaker makes a subclass of its class, for listeners of its own.
    kind = maker.class_.__bases__[0]
    kwargs = {name: value for name, value in sorted(maker.kw.items()) if name not in OF_SESSION}
    if not _is_made_by(kind, kwargs):
        return Making(Session, _expires(maker))
    return Making(kind, _expires(maker), tuple(kwargs.items()))


def _is_made_by(kind: type[Session], kwargs: Mapping[str, Any]) -> bool:
    """Return whether *kind* can be called with *kwargs* alone, without an argument that each caller passes."""
    try:
        inspect.signature(kind).bind(bind=None, expire_on_commit=True, **kwargs)
    except TypeError:
        return False
    return True
