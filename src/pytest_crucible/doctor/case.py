"""The case for the checks: a project, its settings, and the machine."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from ..project.fixtures import Fixture
from ..project.modules import Module, Project
from ..project.pytest_configuration import Configuration
from ..project.survey import Finds
from ..settings import Settings
from .probes.imported_project import Inspection, inspected
from .probes.machine import Machine
from .probes.server import Server, seen


def _depth(path: Path) -> int:
    return len(path.parts)


@dataclass(frozen=True)
class Case:
    """The facts that the checks examine.

    Attributes:
        finds: The project, read and not imported.
        settings: Crucible's own settings, without invalid ones.
        machine: This machine, and the installed packages.
        environ: The environment.
        may_import: True if the project may be imported, in a process of its own.
        may_ask: True if the server may be started or queried.
    """

    finds: Finds
    settings: Settings
    machine: Machine
    environ: Mapping[str, str] = field(default_factory=dict)
    may_import: bool = True
    may_ask: bool = True

    def without(self, what: Collection[str]) -> Case:
        """Return the same case, in which the steps in *what* (``import``, ``server``) are not allowed."""
        return replace(self, may_import="import" not in what, may_ask="server" not in what)

    @cached_property
    def inspection(self) -> Inspection:
        """The result of importing application and metadata; empty where this is not allowed or not configured."""
        if not self.may_import or not self.settings.paths:
            return Inspection()
        return inspected(self.settings, self.configuration.words("pythonpath"), conftests=self._conftests())

    def _conftests(self) -> list[Path]:
        """Return the conftest of the root, and the outermost one of each folder below."""
        paths = sorted((one.path for one in self.project.tests if one.path.name == "conftest.py"), key=_depth)
        homes = {path.parent for path in paths} - {self.root}
        return [path for path in paths if homes.isdisjoint(path.parent.parents)]

    @cached_property
    def server(self) -> Server:
        """The facts about the server; empty where the server may not be queried."""
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
        """The configuration of pytest."""
        return self.finds.configuration

    @property
    def configuration_file(self) -> str:
        """The file of pytest's configuration; empty without one."""
        return self.at(self.configuration.file) if self.configuration.file else ""

    def option(self, name: str, default: str = "") -> str:
        """Return an option of pytest as text."""
        return self.configuration.text(name) or default

    def line_of(self, option: str) -> int:
        """Return the line of an option in the configuration file; 0 if it is not found."""
        path = self.configuration.file
        lines = path.read_text("utf-8", "replace").splitlines() if path else []
        numbers = (number for number, line in enumerate(lines, 1) if line.partition("=")[0].strip() == option)
        return next(numbers, 0)

    def where(self, module: Module) -> str:
        """Return the file of a module as findings name it."""
        return self.at(module.path)

    def at(self, path: Path) -> str:
        """Return a path as findings name it: relative to the root, if it lies there."""
        return (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()

    @cached_property
    def requirements(self) -> Mapping[str, str]:
        """The project's requirements by distribution, as they are written."""
        found: dict[str, str] = {}
        for one in self.finds.requirements:
            found[one.name] = " ".join(filter(None, (found.get(one.name), one.text)))
        return found

    def uses(self, name: str) -> bool:
        """Return whether the project requires *name*, or whether it is installed if test requirements are unknown.

        Requirements of tests may stand in places that are not read: tox.ini, an environment of Hatch, setup.py.
        """
        return name in self.requirements or ("pytest" not in self.requirements and self.machine.has(name))
