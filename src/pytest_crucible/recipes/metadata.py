"""A template from metadata: ``create_all``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import sqlalchemy
from sqlalchemy import MetaData, create_mock_engine
from sqlalchemy.engine import Engine
from sqlalchemy.schema import CreateTable

from ..errors import UsageError
from ..fingerprint import of_module_source
from ..lookup import lookup
from ..settings import Settings
from .failed import failed
from .recipe import URL, Recipe

EXAMPLES = {
    "crucible_metadata": 'crucible_metadata = ["app.models:Base"]',
    "crucible_databases": 'crucible_databases = ["analytics=app.stats:Base"]',
}


class MetadataRecipe(Recipe):
    """Extensions, then every schema that the metadata names, ``create_all``, and the user's data.

    Args:
        settings: The application is imported first, so that its models and listeners are all there.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.metadata = [metadata_of(path, settings) for path in settings.metadata]

    def schema_parts(self) -> dict[str, str]:
        """What ``create_all`` emits."""
        return {"metadata": self.ddl()}

    def ddl(self) -> str:
        """What ``create_all`` emits."""
        return "\n\n".join(_ddl(metadata) for metadata in self.metadata)

    def make_schema(self, engine: Engine) -> None:
        """Create the schemas, then all tables."""
        with engine.begin() as connection:
            for schema in sorted(_schemas(self.metadata)):
                connection.execute(sqlalchemy.schema.CreateSchema(schema, if_not_exists=True))
        for path, metadata in zip(self.settings.metadata, self.metadata, strict=True):
            try:
                metadata.create_all(engine)
            except sqlalchemy.exc.SQLAlchemyError as error:
                raise failed(f"create_all() of {path}", error) from error


def metadata_of(path: str, settings: Settings) -> MetaData:
    """The metadata that *path*, one of ``crucible_metadata`` or ``crucible_databases``, names.

    Raises:
        UsageError: If there is none, or no table in it.
    """
    option = settings.option_of(path)
    found = lookup(path, option=option, root=settings.root)
    metadata = found if isinstance(found, MetaData) else getattr(found, "metadata", None)
    if not isinstance(metadata, MetaData):
        raise UsageError(
            f"{option}: {path} is {type(found).__name__}, which has no metadata.",
            why="The schema is built from a declarative base, a registry, SQLModel or a MetaData object.",
            do=f"Name one of these: {EXAMPLES[option]}",
        )
    if not metadata.tables:
        raise UsageError(
            f"{option}: {path} knows no table.",
            why="A model is known to its base once its module is imported, and nothing has imported one.",
            do="Name a path through a module that imports the models, or set crucible_app so that the application is"
            " imported first.",
        )
    return metadata


def _ddl(metadata: MetaData) -> str:
    """What ``create_all`` really emits, listeners included."""
    emitted: list[str] = []

    def record(statement: Any, *_: object, **__: object) -> None:
        emitted.append(statement if isinstance(statement, str) else str(statement.compile(dialect=engine.dialect)))

    engine = create_mock_engine(URL, record)
    try:
        metadata.create_all(engine, checkfirst=False)
    except (AttributeError, NotImplementedError, TypeError, sqlalchemy.exc.SQLAlchemyError):
        # A listener wants a real connection: the tables alone, and the files of the modules that define them.
        emitted = [str(CreateTable(table).compile(dialect=engine.dialect)) for table in metadata.sorted_tables]
    return "\n".join([*emitted, *_listeners(metadata)])


def _listeners(metadata: MetaData) -> list[str]:
    """The sources of the DDL listeners written in Python, of the metadata and of each table."""
    events = ("before_create", "after_create")
    return sorted(
        of_module_source(listener)
        for target in (metadata, *metadata.sorted_tables)
        for event in events
        for listener in getattr(target.dispatch, event)
        if inspect.isroutine(listener) and not _of_sqlalchemy(listener)
    )


def _of_sqlalchemy(listener: Callable[..., object]) -> bool:
    return (getattr(listener, "__module__", None) or "").partition(".")[0] == "sqlalchemy"


def _schemas(all_metadata: Iterable[MetaData]) -> set[str]:
    schemas: set[str] = set()
    for metadata in all_metadata:
        schemas |= {table.schema for table in metadata.tables.values() if table.schema}
        schemas |= {metadata.schema} if metadata.schema else set()
    return schemas
