"""The engines that the application has made, and the roles that they name."""

from __future__ import annotations

import gc
from collections.abc import Container

from sqlalchemy.engine import Engine


def engines() -> list[Engine]:
    """The PostgreSQL engines of this process, the first one first.

    SQLAlchemy keeps no list of engines; the garbage collector does, each generation in the order of creation.
    """
    # type(), not isinstance(): that would run __class__ properties of arbitrary objects.
    kinds = {Engine, *Engine.__subclasses__()}
    found: list[Engine] = [thing for age in (2, 1, 0) for thing in gc.get_objects(age) if type(thing) in kinds]
    return [engine for engine in found if engine.dialect.name == "postgresql"]


def roles(others: Container[Engine]) -> list[tuple[str, str | None]]:
    """The roles in the URLs of the engines that the application has made so far, each with the database beside it.

    Args:
        others: Engines that are not the application's.
    """
    urls = [engine.url for engine in engines() if engine not in others]
    return list(dict.fromkeys((url.username, url.database) for url in urls if url.username))
