"""A temporary database for a check: migrated up and down, examined, and dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import Any

import psycopg
from sqlalchemy import MetaData, create_engine, text
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

from ..control import Admin, connect
from ..errors import MigrationError
from ..recipes.alembic.autogenerate import compare
from ..recipes.alembic.scripts import Scripts
from ..recipes.recipe import URL, create_extension
from ..redirect import Redirect
from . import catalog, contents

OPEN = (
    "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND state IN ('idle in transaction', 'idle in transaction (aborted)') LIMIT 1"
)


class Scratch:
    """A database that migrations run on.

    Args:
        admin: The server's administrator.
        redirect: The redirect, which leads every engine here while migrations run, and within `leading`.
        scripts: The migrations.
        name: The name of the database, which exists already.
        owner: The role of every connection.
        mend: A function that removes the cause of an error, so that a retry may succeed, or returns False.
    """

    def __init__(
        self,
        admin: Admin,
        redirect: Redirect,
        scripts: Scripts,
        name: str,
        owner: str,
        mend: Callable[[Exception], bool],
    ) -> None:
        self.name = name
        self._admin = admin
        self._redirect = redirect
        self._scripts = scripts
        self._mend = mend
        self._address = admin.address.to(name, user=owner)
        self._lead: ExitStack | None = None

    def upgrade(self, revision: str) -> None:
        """Run ``alembic upgrade revision``.

        Raises:
            MigrationError: If a migration fails, or a transaction is open that it would wait for.
        """
        self._migrate(lambda: self._scripts.upgrade(revision))

    def downgrade(self, revision: str) -> None:
        """Run ``alembic downgrade revision``, with the same errors."""
        self._migrate(lambda: self._scripts.downgrade(revision))

    def _migrate(self, migrate: Callable[[], None]) -> None:
        while True:
            try:
                with self._alone():
                    migrate()
                return
            except MigrationError as error:
                if not self._mend(error):
                    raise

    def extend(self, extensions: Iterable[str], *, embedded: bool) -> None:
        """Create those of *extensions* that are missing; *embedded* tells the kind of server."""
        with self._led(), self._engine().begin() as connection:
            for extension in extensions:
                create_extension(connection, extension, embedded=embedded)

    def prepare(self) -> None:
        """Make Alembic's own table."""
        with self._alone():
            self._scripts.prepare()

    def check(self) -> str:
        """Return the differences that ``alembic check`` finds, as operations of a new revision; "" for none."""
        with self._alone():
            return self._scripts.check()

    def compare(self, metadata: list[MetaData]) -> str:
        """Return the same for *metadata*, in place of the metadata that ``env.py`` gives to Alembic."""
        with self._led(), self._engine().connect() as connection:
            return compare(connection, metadata)

    def known_tables(self) -> set[str] | None:
        """Return the tables of the metadata that ``env.py`` gives to Alembic, with schemas; None if it gives none."""
        with self._alone():
            return self._scripts.known_tables()

    def catalog(self) -> list[str]:
        """Return every fact of the schema, as `catalog.catalog` lists them."""
        return catalog.catalog(self._control)

    def contents(self) -> list[Any] | None:
        """Return the contents of the database beyond its schema, as `contents.contents` lists it."""
        return contents.contents(self._control)

    def execute(self, statement: str, **parameters: object) -> list[Any]:
        """Run one statement of SQL, commit, and return its rows, if any.

        Args:
            statement: With parameters as SQLAlchemy's ``text`` takes them: ``:name``.
            **parameters: Their values.
        """
        with self._led(), self._engine().begin() as connection:
            result = connection.execute(text(statement), parameters)
            return list(result) if result.returns_rows else []

    def _engine(self) -> Engine:
        return create_engine(URL, poolclass=NullPool)

    def close(self) -> None:
        """Close the connection that reads the catalog and the contents."""
        control = vars(self).pop("_control", None)
        if control is not None:
            control.close()

    @cached_property
    def _control(self) -> psycopg.Connection[tuple[Any, ...]]:
        return connect(self._admin.address.to(self.name), catalog.OPTIONS)

    def url(self, drivername: str = "postgresql") -> str:
        """Return the database's URL, for example ``database.url("postgresql+asyncpg")``."""
        return self._address.url(drivername)

    @contextmanager
    def leading(self) -> Iterator[None]:
        """Lead every engine of the process here meanwhile."""
        try:
            self._lead_on()
            yield
        finally:
            self._lead_off()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other connections out of the database; they connect anew, since DDL makes the drivers' caches stale."""
        self._refuse_open_transactions()
        was_leading = self._lead is not None
        self._lead_off()
        try:
            with self._redirect.lead_to(self._address, tests_only=True):
                yield
        finally:
            if was_leading:
                self._lead_on()

    @contextmanager
    def _led(self) -> Iterator[None]:
        if self._lead is not None:
            yield
            return
        with self._redirect.lead_to(self._address, tests_only=True):
            yield

    def _lead_on(self) -> None:
        self._lead = ExitStack()
        self._lead.enter_context(self._redirect.lead_to(self._address, tests_only=True))

    def _lead_off(self) -> None:
        if self._lead is not None:
            self._lead.close()
            self._lead = None

    def _refuse_open_transactions(self) -> None:
        if self._lead is None:
            return
        row = self._control.execute(OPEN).fetchone()
        if row is not None:
            raise MigrationError(
                f"A transaction is open in the database that is to be migrated; its last statement was: {row[0]}",
                why="A migration would wait forever for its locks.",
                do="Commit or close the session before upgrade() and downgrade().",
            )
