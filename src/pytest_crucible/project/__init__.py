"""A project, read without importing any of it: its modules, its configuration, and the finds in its code."""

from __future__ import annotations

from .location import SourceLocation
from .modules import Module, Project, read
from .pytest_configuration import Configuration, root_of
from .requirements import Requirement
from .survey import Finds, find

__all__ = ["Configuration", "Finds", "Module", "Project", "Requirement", "SourceLocation", "find", "read", "root_of"]
