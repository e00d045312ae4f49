"""What a project's code holds: every candidate, none chosen."""

from __future__ import annotations

from dataclasses import dataclass

from .applications import Application, applications
from .configuration import Configuration, configuration
from .engines import Engine, SessionDependency, SessionMaker, engines, session_dependencies, session_makers
from .migrations import Migrations, migrations
from .models import Metadata, metadata
from .requirements import Requirement, requirements
from .suites import Fixture, fixtures
from .tokens import TokenFunction, token_functions
from .tree import Project


@dataclass(frozen=True)
class Finds:
    """Everything that was found in one project; each list in a stable order, the likeliest first."""

    project: Project
    configuration: Configuration
    requirements: tuple[Requirement, ...]
    applications: tuple[Application, ...]
    metadata: tuple[Metadata, ...]
    engines: tuple[Engine, ...]
    session_makers: tuple[SessionMaker, ...]
    session_dependencies: tuple[SessionDependency, ...]
    token_functions: tuple[TokenFunction, ...]
    migrations: tuple[Migrations, ...]
    fixtures: tuple[Fixture, ...]


def find(project: Project) -> Finds:
    """Look for everything; nothing is imported, and nothing written."""
    return Finds(
        project,
        configuration(project.root),
        tuple(requirements(project.root)),
        tuple(applications(project)),
        tuple(metadata(project)),
        tuple(engines(project)),
        tuple(session_makers(project)),
        tuple(session_dependencies(project)),
        tuple(token_functions(project)),
        tuple(migrations(project.root)),
        tuple(fixtures(project)),
    )
