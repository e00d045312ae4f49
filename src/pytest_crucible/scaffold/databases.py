"""The databases of an application: which bases belong to which, and the variables that hold their URLs."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from urllib.parse import urlsplit

from ..project.engines import Engine
from ..project.given_variables import given_variables
from ..project.models import Metadata
from ..project.survey import Finds
from ..project.variables import is_of_database, needed, required
from ..settings import ASYNC_DRIVERS, SYNC_DRIVERS
from ..settings.url_variables import parsed


def variables(finds: Finds) -> list[str]:
    """Return `crucible_url_env`, as ``["DATABASE_URL=postgresql+asyncpg"]``; empty for no or several variables.

    A variable that a file of the repository gives a value needs no other: its engine is redirected.
    """
    engines = [one for one in finds.engines if not one.module.is_test and not one.module.is_aside]
    found = {name: engine for engine in engines if (name := needed(finds.project, engine))}
    if not found and engines:
        found = dict.fromkeys(required(finds.project), engines[0])
    given = given_variables(finds.project, finds.configuration) if found else set()
    found = {name: engine for name, engine in found.items() if name.upper() not in given}
    entries = [f"{name}=postgresql+{driver}" for name, engine in found.items() if (driver := _driver(finds, engine))]
    return entries if len(entries) == 1 else []


def of_a_driver(finds: Finds) -> list[str]:
    """Return `crucible_url_env` for a driver that connects without SQLAlchemy; empty for no or several variables."""
    entries = [f"{name}=postgresql" for name in required(finds.project)]
    return entries if len(entries) == 1 else []


def of_a_missing(finds: Finds, name: str) -> tuple[str, ...]:
    """Return `crucible_url_env` for a variable that the application has not found; empty if it is for no database."""
    engine = next((one for one in finds.engines if not one.module.is_test and not one.module.is_aside), None)
    driver = _driver(finds, engine) if engine else None
    return (f"{name}=postgresql+{driver}",) if driver and is_of_database(name) else ()


def with_host(entries: Iterable[str]) -> tuple[str, ...]:
    """Return the entries of `crucible_url_env` for an application that refuses a URL without a host."""
    return tuple(str(one._replace(host="localhost")) for one in map(parsed, entries) if one)


def _driver(finds: Finds, engine: Engine) -> str | None:
    """Return the required driver, or else an installed one."""
    names = ASYNC_DRIVERS if engine.is_async else SYNC_DRIVERS
    listed = {one.name.removesuffix("-binary") for one in finds.requirements}
    return next((name for name in names if name in listed), None) or next(filter(find_spec, names), None)


def split(finds: Finds, metadata: tuple[Metadata, ...]) -> tuple[tuple[Metadata, ...], tuple[str, ...]]:
    """Return the metadata of the main database, and `crucible_databases` for the others.

    A base belongs to the database of the engine that it is created on, or bound to. Without such a line, it belongs to
    the main one.
    """
    names = {path: name for path, engine in finds.bound if (name := _database(engine))}
    mine = [names.get(one.place.path.replace(":", ".")) for one in metadata]
    if len({name for name in mine if name}) < 2:
        return metadata, ()
    main = next(filter(None, mine))
    further = [f"{name}={one.place.path}" for one, name in zip(metadata, mine, strict=True) if name not in (None, main)]
    return tuple(one for one, name in zip(metadata, mine, strict=True) if name in (None, main)), tuple(further)


def _database(engine: Engine) -> str:
    return urlsplit(engine.known_url or "").path.strip("/")
