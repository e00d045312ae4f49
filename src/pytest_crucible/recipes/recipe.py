"""The base of all recipes: the application, the extensions, and the user's data."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from importlib.metadata import version

import sqlalchemy
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

from ..server.embedded.missing import missing_extension
from ..settings import Settings
from ..settings.lookup import lookup
from . import load
from .failed import failed

# A driver that SQLAlchemy has a dialect for and that Crucible itself depends on, which uses it for control connections.
URL = "postgresql+psycopg://"


class Recipe(ABC):
    """A recipe of extensions, the schema, and the user's data, in this order.

    Args:
        settings: The settings; the application that they name is imported first, with its models and listeners.

    Attributes:
        tables: The names of the tables, as far as they are known before the schema is made.
        doing: The present step of `fill`.
    """

    tables: frozenset[str] = frozenset()

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.doing = "extensions"
        import_application(settings)
        self.load = load.loader(settings)

    def parts(self) -> dict[str, str]:
        """Return the parts that shape the template, by name."""
        parts = {
            "extensions": "\n".join(self.settings.extensions),
            "locale": self.settings.locale or "",
            "SQLAlchemy": sqlalchemy.__version__,
            "pytest-crucible": version("pytest-crucible"),
            **self.schema_parts(),
        }
        return parts | (load.parts(self.load, self.settings) if self.load is not None else {})

    def fill(self) -> None:
        """Fill the database that every engine is led to during the call.

        Raises:
            TemplateError: If the database refuses a statement.
        """
        engine = create_engine(URL, poolclass=NullPool)
        with engine.begin() as connection:
            for extension in self.settings.extensions:
                create_extension(connection, extension, embedded=self.settings.server == "embedded")
        self.doing = self.schema
        self.make_schema(engine)
        if self.load is not None:
            self.doing = f"crucible_load = {self.settings.load!r}"
            load.call(self.load, engine, str(self.settings.load))

    @property
    @abstractmethod
    def schema(self) -> str:
        """A short phrase for the making of the schema."""

    @abstractmethod
    def schema_parts(self) -> dict[str, str]:
        """Return the parts that shape the schema, by name."""

    @abstractmethod
    def ddl(self) -> str:
        """Return the DDL, as far as it can be read beforehand: it names the roles that get privileges."""

    @abstractmethod
    def make_schema(self, engine: Engine) -> None:
        """Make the schema in the database that every engine, *engine* among them, is led to."""


def import_application(settings: Settings) -> None:
    """Import the application, if *settings* name one."""
    if settings.app and not _being_imported(settings.app):
        lookup(settings.app, option="crucible_app", root=settings.root)


def create_extension(connection: sqlalchemy.Connection, extension: str, *, embedded: bool) -> None:
    """Create *extension* if it is missing.

    Raises:
        CrucibleError: If the server lacks it, or refuses.
    """
    quoted = connection.dialect.identifier_preparer.quote(extension)
    try:
        connection.execute(text(f"CREATE EXTENSION IF NOT EXISTS {quoted} CASCADE"))
    except sqlalchemy.exc.SQLAlchemyError as error:
        missing = missing_extension(extension) if embedded else None
        raise missing or failed(f"CREATE EXTENSION {extension}", error) from error


def _being_imported(path: str) -> bool:
    """Return whether the application's import is under way: it may call `create_all(engine)` before `app = …`."""
    module = sys.modules.get(path.partition(":")[0])
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))
