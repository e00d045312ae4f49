"""The recipe for a template from migrations: ``alembic upgrade heads``, by the project's own ``env.py``."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from sqlalchemy.engine import Engine

from ...errors import MigrationError, TemplateError
from ...settings import Settings
from ..fingerprints import digest, files
from ..recipe import Recipe
from ..tables import has_tables
from .imported_modules import followed, importable_from
from .scripts import Scripts


class AlembicRecipe(Recipe):
    """A recipe of extensions, every migration, and the user's data."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.scripts = Scripts(settings)

    @property
    def schema(self) -> str:
        """A short phrase for the making of the schema."""
        return f"the migrations of {self.settings.alembic}"

    def schema_parts(self) -> dict[str, str]:
        """Return the scripts' files, the project's modules that the revisions import, and the configuration."""
        scripts = self.scripts
        folders = dict.fromkeys([scripts.home, *scripts.locations])
        return {
            "Alembic": version("alembic"),
            "alembic": str(self.settings.alembic),
            "configuration": scripts.configured(),
            **{f"module {name}": digest(path).hex() for name, path in self._modules().items()},
            **{
                f"file {number or ''}{name}": content.hex()
                for number, folder in enumerate(folders)
                if folder.is_dir()
                for name, content in files(folder, ["."]).items()
            },
        }

    def ddl(self) -> str:
        """Return the text of the revisions."""
        return "\n".join(file.read_text("utf-8", "replace") for file in self._files())

    def _files(self) -> list[Path]:
        return [file for folder in self.scripts.locations for file in sorted(folder.rglob("*.py"))]

    def _modules(self) -> dict[str, Path]:
        return followed(self._files(), importable_from(self.settings.root, self.scripts.folder))

    def make_schema(self, engine: Engine) -> None:
        """Migrate to the newest revision, of each branch if there are several.

        Raises:
            TemplateError: If a migration fails, or if the migrations leave no table.
        """
        try:
            self.scripts.upgrade("heads")
        except MigrationError as error:
            raise TemplateError(
                f"The template could not be built: {error.found}", why=error.why, do=error.do
            ) from error.__cause__
        number = len(self.scripts.revisions)
        if number and not has_tables(engine):
            raise TemplateError(
                f"The template could not be built: {self.scripts.place} ran"
                f" {number} revision{'' if number == 1 else 's'}, and there is no table in the database.",
                why="Probably env.py opens a transaction and does not commit it: an async connection that is closed"
                " without `await connection.commit()`, or a connection on which a statement ran before"
                " context.begin_transaction().",
                do="Write `async with engine.begin() as connection:` in env.py, or commit at its end.",
            )
