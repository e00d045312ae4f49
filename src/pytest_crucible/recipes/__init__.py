"""Recipes: what a template is made from, and how.

A recipe says what shaped the template (its parts go into the fingerprint) and fills an empty database: from
metadata, or by migrating with Alembic.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..fingerprint import fingerprint
from ..settings import Settings
from .metadata import MetadataRecipe
from .recipe import Recipe

__all__ = ["MetadataRecipe", "Recipe", "fingerprint_of", "recipe_of"]


def recipe_of(settings: Settings) -> Recipe:
    """The recipe that *settings* ask for: ``crucible_alembic`` wins over ``crucible_metadata``."""
    if settings.alembic:
        from .alembic import AlembicRecipe

        return AlembicRecipe(settings)
    return MetadataRecipe(settings)


def fingerprint_of(recipe: Recipe, facts: Sequence[tuple[str, str]]) -> str:
    """The fingerprint of what *recipe* makes on a server with these *facts* (owner, server version, …)."""
    return fingerprint(recipe.parts() | dict(facts))
