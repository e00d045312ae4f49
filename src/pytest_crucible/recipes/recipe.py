"""What every recipe has in common: the application, the extensions, and the user's data."""

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

# Any driver that SQLAlchemy has a dialect for and that Crucible itself depends on: it makes control connections only.
URL = "postgresql+psycopg://"


class Recipe(ABC):
    """Extensions, then the schema, then the user's data.

    Args:
        settings: The application is imported first, so that its models and listeners are all there.

    Attributes:
        tables: The names of the tables, as far as they are known without making them.
        doing: What `fill` is doing now.
    """

    tables: frozenset[str] = frozenset()

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.doing = "extensions"
        if settings.app and not _being_imported(settings.app):
            lookup(settings.app, option="crucible_app", root=settings.root)
        self.load = load.loader(settings)

    def parts(self) -> dict[str, str]:
        """What shapes the template, by name."""
        parts = {
            "extensions": "\n".join(self.settings.extensions),
            "locale": self.settings.locale or "",
            "SQLAlchemy": sqlalchemy.__version__,
            "pytest-crucible": version("pytest-crucible"),
            **self.schema_parts(),
        }
        return parts | (load.parts(self.load, self.settings) if self.load is not None else {})

    def fill(self) -> None:
        """Fill the database to which every engine is led meanwhile.

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
        """How the schema is made, in a few words."""

    @abstractmethod
    def schema_parts(self) -> dict[str, str]:
        """What shapes the schema, by name."""

    @abstractmethod
    def ddl(self) -> str:
        """The DDL, as far as it can be read beforehand: it tells who is granted something."""

    @abstractmethod
    def make_schema(self, engine: Engine) -> None:
        """Make the schema in the database to which every engine is led, *engine* among them."""


def create_extension(connection: sqlalchemy.Connection, extension: str, *, embedded: bool) -> None:
    """Create *extension* where it is missing.

    Raises:
        CrucibleError: If the server does not have it, or refuses.
    """
    quoted = connection.dialect.identifier_preparer.quote(extension)
    try:
        connection.execute(text(f"CREATE EXTENSION IF NOT EXISTS {quoted} CASCADE"))
    except sqlalchemy.exc.SQLAlchemyError as error:
        missing = missing_extension(extension) if embedded else None
        raise missing or failed(f"CREATE EXTENSION {extension}", error) from error


def _being_imported(path: str) -> bool:
    """Whether it is the application's import that asks for the database: `create_all(engine)` before `app = …`."""
    module = sys.modules.get(path.partition(":")[0])
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))
