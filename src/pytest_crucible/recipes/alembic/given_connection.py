"""The connection that some ``env.py`` files expect in ``config.attributes``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from ..recipe import URL

if TYPE_CHECKING:
    from alembic.config import Config


class Attributes(dict[str, Any]):
    """Alembic's ``config.attributes``, whose ``["connection"]`` opens a connection.

    ``.get("connection")`` returns None, so that an ``env.py`` which has an engine of its own uses that.
    """

    opened: Connection | None = None

    def __missing__(self, key: str) -> Any:
        if key != "connection":
            raise KeyError(key)
        self.opened = self[key] = create_engine(URL, poolclass=NullPool).connect()
        return self.opened


@contextmanager
def given_connection(config: Config) -> Iterator[None]:
    """Provide a connection as ``config.attributes["connection"]``; commit and close it at the end."""
    attributes = Attributes(config.attributes)
    config.attributes = attributes
    try:
        yield
        if attributes.opened is not None:
            attributes.opened.commit()
    finally:
        if attributes.opened is not None:
            attributes.opened.close()
