"""The recipe for a template from ``crucible_schema``: SQL scripts and callables, in the order of the entries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.engine import Engine

from ...errors import TemplateError
from ...settings import Settings
from ..fingerprints import digest
from ..recipe import Recipe
from ..tables import has_tables
from .blame import failed
from .builders import Builder
from .entries import all_scripts, shown, steps
from .psql import run
from .scripts import script


class SchemaRecipe(Recipe):
    """A recipe of extensions, SQL scripts and callables, and the user's data.

    Raises:
        UsageError: If an entry matches no file, or names no callable that can be called.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._steps = [Builder(step, settings) if isinstance(step, str) else step for step in steps(settings)]

    @property
    def schema(self) -> str:
        """A short phrase for the making of the schema."""
        return f"crucible_schema = {', '.join(self.settings.schema)}"

    def schema_parts(self) -> dict[str, str]:
        """Return the digest of each script, their order, and the parts of each callable."""
        names = [step.path if isinstance(step, Builder) else self._names(step) for step in self._steps]
        parts = {f"file {shown(path, self.settings.root)}": digest(path).hex() for path in all_scripts(self.settings)}
        for builder in self._builders:
            parts |= builder.parts()
        return {**parts, "order of crucible_schema": repr(names)}

    def ddl(self) -> str:
        """Return the text of the scripts, and of what the callables read."""
        texts = [path.read_text("utf-8", "replace") for path in all_scripts(self.settings)]
        return "\n".join([*texts, *(builder.text() for builder in self._builders)])

    def make_schema(self, engine: Engine) -> None:
        """Run the scripts and the callables, in their order.

        Raises:
            UsageError: If a script is none, or has commands of psql's.
            TemplateError: If one fails, or if all together leave no table.
        """
        for step in self._steps:
            if isinstance(step, Builder):
                self.doing = f"crucible_schema = {step.path!r}"
                step.run(engine)
            else:
                self.doing = f"the scripts of {self.schema}"
                self._run(step, engine)
        if not has_tables(engine):
            raise TemplateError(
                f"The template could not be built: {self.schema} ran, and there is no table in the database.",
                why="Probably the entries name other files than those that create the tables; or a callable used a"
                " connection of its own and did not commit.",
                do="Correct the entries; in a callable, use the connection that it gets, or commit.",
            )

    @property
    def _builders(self) -> list[Builder]:
        return [step for step in self._steps if isinstance(step, Builder)]

    def _names(self, paths: Sequence[Path]) -> list[str]:
        return [shown(path, self.settings.root) for path in paths]

    def _run(self, paths: Sequence[Path], engine: Engine) -> None:
        scripts = [script(path, shown(path, self.settings.root)) for path in paths]
        with engine.connect() as connection:
            error = run(scripts, connection.connection.driver_connection.info)  # type: ignore[union-attr] # psycopg's
        if error is not None:
            raise failed(error)
