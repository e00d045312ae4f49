"""A project, read without importing any of it: its modules, its configuration, and what its code holds."""

from __future__ import annotations

from .configuration import Configuration, root_of
from .finds import Finds, find
from .places import Place
from .requirements import Requirement
from .tree import Module, Project, read

__all__ = ["Configuration", "Finds", "Module", "Place", "Project", "Requirement", "find", "read", "root_of"]
