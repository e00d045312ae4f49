"""The source of a schema: metadata, Alembic, or the scripts and callables of ``crucible_schema``."""

from __future__ import annotations

import inspect

from ..errors import UsageError
from ..settings import Settings
from ..settings.lookup import lookup
from .recipe import import_application


def refuse_two_sources(settings: Settings) -> None:
    """Raise an error if *settings* of one database name migrations and scripts.

    Raises:
        UsageError: If they do.
    """
    if settings.alembic and settings.schema:
        named = settings.schema[0]
        option = settings.option_of(named)
        raise UsageError(
            f"The schema has two sources: {settings.alembic}, and {named!r} in {option}.",
            why="One of them makes the whole schema; which of them comes first, and what the other adds, is not known.",
            do="Remove one; --crucible-alembic= or --crucible-schema= clears what the configuration file says. Where"
            ' migrations go on from a dump, let a callable run both: crucible_schema = "tests.schema:build".',
        )


def with_builders(settings: Settings) -> Settings:
    """Return *settings* with the functions among the entries of ``crucible_databases`` in ``schema``.

    The entries of that option are dotted paths of bases and of callables, and only the objects tell which.
    """
    paths = [path for path in settings.metadata if settings.option_of(path) == "crucible_databases"]
    if not paths:
        return settings
    import_application(settings)
    builders = [path for path in paths if _is_function(path, settings)]
    metadata = tuple(path for path in settings.metadata if path not in builders)
    return settings._replace(metadata=metadata, schema=(*settings.schema, *builders))


def _is_function(path: str, settings: Settings) -> bool:
    return inspect.isroutine(lookup(path, option="crucible_databases", root=settings.root))
