"""A template from metadata: ``create_all``."""

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
    """Extensions, then every schema that the metadata names, ``create_all``, and the user's data.

    Args:
        settings: The application is imported first, so that its models and listeners are all there.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.metadata = [metadata_of(path, settings) for path in settings.metadata]
        self.tables = frozenset(name for metadata in self.metadata for name in metadata.tables)

    @property
    def schema(self) -> str:
        """How the schema is made, in a few words."""
        return f"create_all of {', '.join(self.settings.metadata)}"

    def schema_parts(self) -> dict[str, str]:
        """What ``create_all`` emits, each statement by its name; beside them the place of those of the project."""
        each = [emitted(metadata) for metadata in self.metadata]
        return {
            **named([text for one in each for text in [*one.own, *one.others]]),
            ORDER: "; ".join(f"{one.others} {one.places}" for one in each),
            "DDL listeners": "\n".join(text for one in each for text in one.listeners),
        }

    def ddl(self) -> str:
        """What ``create_all`` emits."""
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


def _schemas(all_metadata: Iterable[MetaData]) -> set[str]:
    schemas: set[str] = set()
    for metadata in all_metadata:
        schemas |= {table.schema for table in metadata.tables.values() if table.schema}
        schemas |= {metadata.schema} if metadata.schema else set()
    return schemas
