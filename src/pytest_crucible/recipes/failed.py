"""The error for a template whose build failed."""

from __future__ import annotations

from sqlalchemy.exc import TimeoutError as PoolTimeout

from ..errors import TemplateError


def failed(what: str, error: Exception) -> TemplateError:
    """Return the error to raise if *what*, a step of the build, failed with *error*."""
    cause = getattr(error, "orig", None) or error
    if isinstance(error, PoolTimeout):
        return TemplateError(
            f"The template could not be built: {what} failed: {type(cause).__name__}: {cause}",
            why="The code that fills the template waits for a connection of the application's pool, and the only one"
            " waits for the template.",
            do="Let crucible_load use the session that it gets as its argument: `async def load(session): …`.",
        )
    return TemplateError(
        f"The template could not be built: {what} failed: {type(cause).__name__}: {cause}",
        why="PostgreSQL refused a statement, or the code that fills the template raised.",
        do="Correct it; nothing was kept, and the next run builds the template anew.",
    )
