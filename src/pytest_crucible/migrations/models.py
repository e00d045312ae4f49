"""The comparison of models and migrations, for the models that ``env.py`` knows and for those that it does not."""

from __future__ import annotations

from sqlalchemy import MetaData

from ..errors import MigrationError
from ..recipes.metadata import metadata_of
from .migrations import Migrations
from .scratch import Scratch


def differences(migrations: Migrations, database: Scratch) -> str:
    """Return the operations of a revision that makes the tables in *database* match the models.

    The models are those of ``env.py``, compared with its options; if it has none, those of ``crucible_metadata``.

    Raises:
        MigrationError: If there are none, or ``env.py`` does not know all of ``crucible_metadata``.
    """
    settings = migrations.settings
    metadata = [metadata_of(path, settings) for path in settings.metadata]
    known = database.known_tables()
    if known is not None:
        _refuse_unknown(metadata, known, database)
        return database.check()
    if metadata:
        return database.compare(metadata)
    raise MigrationError(
        "There are no models to compare the migrations with.",
        why="env.py gives no target_metadata to context.configure(), and crucible_metadata is not set.",
        do="Set target_metadata in env.py, as `alembic revision --autogenerate` needs it too.",
    )


def _refuse_unknown(metadata: list[MetaData], known: set[str], database: Scratch) -> None:
    """Refuse tables of *metadata* that neither ``env.py`` knows nor a migration creates.

    Tables that ``env.py`` knows are left to ``alembic check``, which respects its filters (``include_object``).
    """
    existing = {line.partition(":")[0] for line in database.catalog()}
    wanted = {str(key) for each in metadata for key in each.tables} - known
    missing = sorted(key for key in wanted if _line(key) not in existing)
    if missing:
        raise MigrationError(
            f"No migration creates {', '.join(missing)}, and env.py does not know of it.",
            why="crucible_metadata has it. Probably env.py does not import its module, so"
            " `alembic revision --autogenerate` does not see it either.",
            do="Import the module of the model in env.py, and make the revision.",
        )


def _line(key: str) -> str:
    return f"table {key if '.' in key else f'public.{key}'}"
