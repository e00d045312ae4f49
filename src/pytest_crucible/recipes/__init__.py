"""Recipes for templates: the inputs of a template, and the code that fills it.

A recipe returns the parts that shape the template, which go into its fingerprint, and fills an empty database: from
metadata, by migrating with Alembic, or by SQL scripts and callables of the project.
"""

from __future__ import annotations

from ..settings import Settings, lookup
from .metadata import MetadataRecipe
from .recipe import Recipe
from .schema.entries import all_scripts
from .sources import refuse_two_sources, with_builders

__all__ = ["MetadataRecipe", "Recipe", "recipe_of", "refuse_missing"]


def recipe_of(settings: Settings) -> Recipe:
    """Return the recipe for *settings*: ``crucible_alembic`` and ``crucible_schema`` win over ``crucible_metadata``.

    Raises:
        UsageError: If both of them are set.
    """
    refuse_two_sources(settings)
    settings = with_builders(settings)
    if settings.schema:
        from .schema.recipe import SchemaRecipe

        return SchemaRecipe(settings)
    if settings.alembic:
        from .alembic.recipe import AlembicRecipe

        return AlembicRecipe(settings)
    return MetadataRecipe(settings)


def refuse_missing(settings: Settings) -> None:
    """Raise an error if *settings* name a missing module or file, without importing the application."""
    for option, path in settings.named_paths():
        lookup.refuse_missing(path, option=option, root=settings.root)
    for shape in settings.by_database().values():
        refuse_two_sources(shape)
        all_scripts(shape)
        if shape.alembic:
            from .alembic.scripts import Scripts

            Scripts(shape)
