"""The case that is examined: a project, its settings, and the machine."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from ..project import Configuration, Finds, Module
from ..project.fixtures import Fixture
from ..project.modules import Project
from ..settings import Settings
from .probes.imported_project import Inspection, inspected
from .probes.machine import Machine
from .probes.server import Server, seen


@dataclass(frozen=True)
class Case:
    """What the checks look at.

    Attributes:
        finds: The project, read and not imported.
        settings: Crucible's own settings; where some are wrong, those that are right.
        machine: This machine, and what is installed.
        environ: The environment.
        may_import: Whether the project may be imported, in a process of its own.
        may_ask: Whether the server may be started or asked.
    """

    finds: Finds
    settings: Settings
    machine: Machine
    environ: Mapping[str, str] = field(default_factory=dict)
    may_import: bool = True
    may_ask: bool = True

    def without(self, what: Collection[str]) -> Case:
        """The same, without doing some of ``import`` and ``server``."""
        return replace(self, may_import="import" not in what, may_ask="server" not in what)

    @cached_property
    def inspection(self) -> Inspection:
        """What importing the application and the metadata did; nothing where it is not allowed or not configured."""
        if not self.may_import or not self.settings.paths:
            return Inspection()
        return inspected(self.settings, self.configuration.words("pythonpath"))

    @cached_property
    def server(self) -> Server:
        """What was seen on the server; nothing where nobody may ask."""
        return seen(self.settings.server, self.root) if self.may_ask else Server()

    @property
    def project(self) -> Project:
        """The project's modules."""
        return self.finds.project

    @property
    def root(self) -> Path:
        """The project's root folder."""
        return self.project.root

    @property
    def fixtures(self) -> tuple[Fixture, ...]:
        """The fixtures of the tests."""
        return self.finds.fixtures

    @property
    def configuration(self) -> Configuration:
        """Of pytest."""
        return self.finds.configuration

    @property
    def configuration_file(self) -> str:
        """The file of pytest's configuration; empty without one."""
        return self.at(self.configuration.file) if self.configuration.file else ""

    def option(self, name: str, default: str = "") -> str:
        """An option of pytest's, as text."""
        return self.configuration.text(name) or default

    def line_of(self, option: str) -> int:
        """The line of an option in the configuration file; 0 where it cannot be told."""
        path = self.configuration.file
        lines = path.read_text("utf-8", "replace").splitlines() if path else []
        numbers = (number for number, line in enumerate(lines, 1) if line.partition("=")[0].strip() == option)
        return next(numbers, 0)

    def where(self, module: Module) -> str:
        """The file of a module as findings name it."""
        return self.at(module.path)

    def at(self, path: Path) -> str:
        """A path as findings name it: from the root, if it lies there."""
        return (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()

    @cached_property
    def requirements(self) -> Mapping[str, str]:
        """What the project asks for, by distribution, as it is written."""
        found: dict[str, str] = {}
        for one in self.finds.requirements:
            found[one.name] = " ".join(filter(None, (found.get(one.name), one.text)))
        return found

    def uses(self, name: str) -> bool:
        """Whether the project asks for a distribution that tests need; where it does not say what, if it is installed.

        Requirements of tests may stand where they are not read: in tox.ini, in an environment of Hatch's, in setup.py.
        """
        return name in self.requirements or ("pytest" not in self.requirements and self.machine.has(name))
