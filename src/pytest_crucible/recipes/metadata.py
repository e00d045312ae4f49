"""The recipe for a template from metadata, by ``create_all``."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy
from sqlalchemy import MetaData
from sqlalchemy.engine import Engine

from ..errors import UsageError
from ..project.template_trace import ORDER, named
from ..settings import Settings
from ..settings.lookup import lookup
from .emitted_ddl import emitted
from .failed import failed
from .recipe import Recipe

EXAMPLES = {
    "crucible_metadata": 'crucible_metadata = ["app.models:Base"]',
    "crucible_databases": 'crucible_databases = ["analytics=app.stats:Base"]',
}


class MetadataRecipe(Recipe):
    """A recipe of extensions, every schema that the metadata names, ``create_all``, and the user's data."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.metadata = [metadata_of(path, settings) for path in settings.metadata]
        self.tables = frozenset(name for metadata in self.metadata for name in metadata.tables)

    @property
    def schema(self) -> str:
        """A short phrase for the making of the schema."""
        return f"create_all of {', '.join(self.settings.metadata)}"

    def schema_parts(self) -> dict[str, str]:
        """Return the statements of ``create_all`` by their names, and the order of the project's own."""
        parts = [emitted(metadata) for metadata in self.metadata]
        return {
            **named([text for part in parts for text in [*part.own, *part.others]]),
            ORDER: "; ".join(f"{part.others} {part.places}" for part in parts),
            "DDL listeners": "\n".join(text for part in parts for text in part.listeners),
        }

    def ddl(self) -> str:
        """Return the DDL that ``create_all`` emits."""
        return "\n\n".join(emitted(metadata).text() for metadata in self.metadata)

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
    """Return the metadata that *path*, one of ``crucible_metadata`` or ``crucible_databases``, names.

    Raises:
        UsageError: If there is none, or it contains no table.
    """
    option = settings.option_of(path)
    named_object = lookup(path, option=option, root=settings.root)
    metadata = named_object if isinstance(named_object, MetaData) else getattr(named_object, "metadata", None)
    if not isinstance(metadata, MetaData):
        raise UsageError(
            f"{option}: {path} is {type(named_object).__name__}, which has no metadata.",
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


def _schemas(all_metadata: Iterable[MetaData]) -> set[str]:
    schemas: set[str] = set()
    for metadata in all_metadata:
        schemas |= {table.schema for table in metadata.tables.values() if table.schema}
        schemas |= {metadata.schema} if metadata.schema else set()
    return schemas
