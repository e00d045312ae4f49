"""What the new tests are about, and how they are spelled in this project."""

from __future__ import annotations

import builtins
import keyword
import re
from dataclasses import dataclass
from importlib.util import find_spec

from ...project import Finds
from ...project.suites import Fixture
from . import python, suite
from .choices import Choices
from .samples import Sample

MARKS = {"asyncio": "pytest.mark.asyncio", "anyio": "pytest.mark.anyio"}


@dataclass(frozen=True)
class Subject:
    """What the new tests are about.

    Attributes:
        finds: What was found.
        choices: What was settled.
        row: A row that can be inserted, if there is one.
        shared: Whether test and application share one session, as in rollback isolation.
    """

    finds: Finds
    choices: Choices
    row: Sample | None
    shared: bool

    @property
    def is_sync(self) -> bool:
        """Whether tests are plain functions."""
        return self.choices.runner == "sync"

    @property
    def session(self) -> tuple[str, str]:
        """The fixture of a session, and its class."""
        return ("sync_session", "Session") if self.is_sync else ("db_session", "AsyncSession")

    @property
    def session_import(self) -> str:
        """What imports the class of the session."""
        return (
            "from sqlalchemy.orm import Session" if self.is_sync else "from sqlalchemy.ext.asyncio import AsyncSession"
        )

    @property
    def define(self) -> str:
        """What begins a test or a fixture that waits for the database."""
        return "def" if self.is_sync else "async def"

    @property
    def wait(self) -> str:
        """What stands before a call that waits for the database."""
        return "" if self.is_sync else "await "

    @property
    def row_name(self) -> str:
        """The name of the fixture with the row."""
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", self.row.name).lower() if self.row else ""
        taken = {fixture.name for fixture in self.finds.fixtures} | {"request", "db_session", "async_client", "client"}
        free = name not in taken and not keyword.iskeyword(name) and not hasattr(builtins, name)
        return name if free else f"stored_{name}"

    @property
    def fixtures(self) -> str:
        """The folder for modules of fixtures; one beside a module of that name would hide it."""
        tests = self.finds.project.root / self.choices.tests
        return "more_fixtures" if (tests / "fixtures.py").exists() else "fixtures"

    @property
    def has_row_fixture(self) -> bool:
        """Whether the row is an object of a model, and so worth a fixture."""
        return self.row is not None and not self.row.model.is_table

    @property
    def has_factories(self) -> bool:
        """Whether the suite gets factories: Polyfactory is installed, and no module of that name there."""
        there = self.finds.project.root / self.choices.tests / self.fixtures / "factories.py"
        return self.has_row_fixture and not there.exists() and find_spec("polyfactory") is not None

    @property
    def package(self) -> str:
        """The folder of the tests, as it is imported."""
        return self.choices.tests.replace("/", ".")

    @property
    def row_import(self) -> str:
        """What imports the row's model, or table."""
        return imported(self.row.model.place.path) if self.row else ""

    @property
    def metadata(self) -> tuple[str, str] | None:
        """The import and the expression of the metadata, if there is one."""
        if not self.choices.metadata:
            return None
        one = self.choices.metadata[0]
        path = self.choices.metadata_paths(self.finds)[0]
        name = path.partition(":")[2]
        return imported(path), name if one.kind == "metadata" else f"{name}.metadata"

    @property
    def test_client(self) -> Fixture | None:
        """A fixture of the suite that gives a ``TestClient``."""
        found = (one for one in self.finds.fixtures if "test client" in one.traits)
        return next((one for one in found if suite.is_visible(self.finds, one)), None)

    def marks(self, *marks: str, is_async: bool = True) -> str:
        """The ``pytestmark`` of a module; empty for none."""
        runner = self.choices.runner
        needed = is_async and (runner == "anyio" or (runner == "asyncio" and self.choices.strict))
        names = [*marks, *([MARKS[runner]] if needed else [])]
        return "" if not names else f"pytestmark = {names[0] if len(names) == 1 else '[' + ', '.join(names) + ']'}"

    def module(self, docstring: str, imports: list[str], *parts: str) -> str:
        """The text of a module of this project."""
        return python.module(self.finds.project, docstring, imports, *parts)


def imported(path: str) -> str:
    """What imports a dotted path: ``"app.models:Base"``."""
    owner, _, name = path.partition(":")
    return f"from {owner} import {name}"


def article(words: str) -> str:
    """Words with the article that fits."""
    sounds_like_a_vowel = re.match(r"(?!uni|us[aeu]|ut|eu|one)[aeiou]", words, re.IGNORECASE)
    return f"{'an' if sounds_like_a_vowel else 'a'} {words}"
