"""A project's Alembic scripts: their location, their revisions, and their commands."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from importlib.metadata import version
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import CrucibleError, UsageError
from ...settings import Settings
from ...settings.files import toml
from ..load import in_thread
from .autogenerate import rendered
from .blame import blame
from .given_connection import given_connection
from .process_state import isolated

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import Script, ScriptDirectory

# The names that an env.py uses to make an asynchronous engine.
ASYNC = re.compile(r"\b(AsyncEngine|async_engine_from_config|create_async_engine)\b")


class Scripts:
    """The scripts that ``crucible_alembic`` names.

    Args:
        settings: ``alembic`` is ``"alembic.ini"``, ``"alembic.ini:section"`` or ``"pyproject.toml"``, relative to
            the project's root folder.

    Raises:
        UsageError: If there is no such file, no Alembic, or no script directory.
    """

    def __init__(self, settings: Settings) -> None:
        name, _, self.section = str(settings.alembic).partition(":")
        self.place = f"crucible_alembic = {settings.alembic!r}"
        self.file = settings.root / name
        if not self.file.is_file():
            raise UsageError(
                f"{self.place}: there is no file {self.file}.",
                why="It names Alembic's configuration: a path relative to the project's root folder, and where its"
                " section is not [alembic], a colon and the section.",
                do='Write, for example: crucible_alembic = "alembic.ini"',
            )

    @cached_property
    def folder(self) -> Path:
        """The folder of the configuration, in which ``alembic`` is run."""
        return self.file.parent.resolve()

    @cached_property
    def directory(self) -> ScriptDirectory:
        """Alembic's view of the scripts."""
        try:
            from alembic.script import ScriptDirectory

            with isolated(self.folder, self.folder):
                return ScriptDirectory.from_config(self.config())
        except CrucibleError:
            raise
        except ImportError as error:
            raise self._unusable(error, "Install it beside the tests: pip install alembic") from error
        except Exception as error:
            raise self._unusable(error, "Correct script_location; it is found as from the command line.") from error

    def config(self) -> Config:
        """Return a new configuration, as the command line would read it in the same folder."""
        from alembic.config import Config

        is_toml = self.file.suffix == ".toml"
        ini = self.folder / "alembic.ini" if is_toml else self.file
        toml = self.file if is_toml else self.folder / "pyproject.toml"
        kwargs: dict[str, Any] = {"ini_section": self.section or "alembic", "stdout": io.StringIO()}
        if ini.is_file():
            kwargs["file_"] = str(ini)
        if "toml_file" in signature(Config).parameters:
            kwargs |= {"toml_file": str(toml)} if toml.is_file() else {}
        elif is_toml:
            raise UsageError(
                f"{self.place}: Alembic {version('alembic')} does not read it.",
                why="Alembic reads a section [tool.alembic] from 1.16 on; older versions read alembic.ini only.",
                do="Write an alembic.ini, or install a newer Alembic: pip install 'alembic>=1.16'",
            )
        return Config(**kwargs)

    def configured(self) -> str:
        """Return the configuration's text, for the fingerprint; of a ``pyproject.toml``, only Alembic's section."""
        if self.file.suffix != ".toml":
            return self.file.read_text("utf-8")
        tool: Any = toml(self.file).get("tool", {})
        return json.dumps(tool.get("alembic", {}), sort_keys=True, default=str)

    @cached_property
    def home(self) -> Path:
        """The script directory, which contains ``env.py``."""
        return (self.folder / self.directory.dir).resolve()

    @cached_property
    def locations(self) -> list[Path]:
        """The folders that hold the revisions."""
        locations = self.directory.version_locations
        if not locations:
            return [self.home / "versions"]
        from alembic.util import coerce_resource_to_filename

        return [(self.folder / coerce_resource_to_filename(str(location))).resolve() for location in locations]

    @property
    def is_async(self) -> bool:
        """True if ``env.py`` connects asynchronously."""
        return bool(ASYNC.search((self.home / "env.py").read_text("utf-8")))

    @cached_property
    def revisions(self) -> list[Script]:
        """The revisions, each after those that it depends on."""
        with self._explained("reading the revisions"), self._isolated():
            return list(self.directory.walk_revisions())[::-1]

    def resolve(self, revision: str) -> list[str]:
        """Return the identifiers of *revision*: ``head``, a branch's name, or the beginning of an identifier.

        Raises:
            MigrationError: If there is none.
        """
        with self._explained(f"looking for revision {revision!r}"), self._isolated():
            return [script.revision for script in self.directory.get_revisions(revision)]

    def upgrade(self, revision: str) -> None:
        """Run ``alembic upgrade`` on the database that every engine is led to.

        Raises:
            MigrationError: If a migration fails; it names the revision.
        """
        from alembic import command

        self._run(lambda config: command.upgrade(config, revision), f"alembic upgrade {revision}")

    def downgrade(self, revision: str) -> None:
        """Run ``alembic downgrade`` on that database."""
        from alembic import command

        self._run(lambda config: command.downgrade(config, revision), f"alembic downgrade {revision}")

    def prepare(self) -> None:
        """Create Alembic's own table, and nothing else."""
        from alembic import command

        self._run(command.ensure_version, "alembic ensure_version")

    def check(self) -> str:
        """Return the operations that ``alembic check`` finds missing, as Python; "" if models and tables agree."""
        from alembic import command
        from alembic.util.exc import AutogenerateDiffsDetected

        operations: list[str] = []

        def check(config: Config) -> None:
            try:
                command.check(config)
            except AutogenerateDiffsDetected as differences:
                operations.append(_rendered(differences))

        self._run(check, "alembic check")
        return "\n".join(operations)

    def known_tables(self) -> set[str] | None:
        """Return the tables of ``env.py``'s ``target_metadata``, with their schemas; None if it is not set."""
        from alembic.runtime.environment import EnvironmentContext

        targets: list[Any] = []

        def look(_: object, context: Any) -> list[Any]:
            targets.append(context.opts["target_metadata"])
            return []

        def run(config: Config) -> None:
            with EnvironmentContext(config, self.directory, fn=look, dont_mutate=True):
                self.directory.run_env()

        self._run(run, "env.py")
        flat = [each for target in targets for each in (target if isinstance(target, (list, tuple)) else [target])]
        metadata = [each for each in flat if each is not None]
        return {str(key) for each in metadata for key in each.tables} if metadata else None

    def _run(self, run: Callable[[Config], object], what: str) -> None:
        """Run a command in a thread of its own: the caller's may run a loop, and ``env.py`` may start one."""

        def work() -> None:
            config = self.config()
            with given_connection(config), self._explained(what), self._isolated():
                run(config)

        in_thread(work, "crucible-alembic")

    def _isolated(self) -> AbstractContextManager[None]:
        return isolated(self.folder, self.home)

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except CrucibleError:
            raise
        except (Exception, SystemExit) as error:  # an env.py that calls sys.exit() must not end the run
            raise blame(what, error, self.folder, [*self.locations, self.home]) from error

    def _unusable(self, error: Exception, do: str) -> UsageError:
        return UsageError(
            f"{self.place}: {type(error).__name__}: {error}", why=f"Alembic could not read {self.file}.", do=do
        )


def _rendered(differences: Any) -> str:
    context = getattr(differences, "revision_context", None)
    if context is None:  # older versions have the message only
        return str(differences)
    operations = [each for script in context.generated_revisions for each in script.upgrade_ops_list]
    return "\n".join(rendered(each) for each in operations if not each.is_empty())
