"""The survey of a project's code: every candidate, none chosen."""

from __future__ import annotations

from dataclasses import dataclass

from .alembic import AlembicEnvironment, migrations
from .applications import Application, applications
from .engines import Engine, SessionDependency, SessionMaker, engines, session_dependencies, session_makers
from .fixtures import Fixture, fixtures
from .models import Metadata, metadata
from .modules import Project, without_collecting
from .pytest_configuration import Configuration, configuration
from .requirements import Requirement, requirements
from .tokens import TokenFunction, token_functions


@dataclass(frozen=True)
class Finds:
    """The results of the survey of one project; each list in a stable order, the likeliest first."""

    project: Project
    configuration: Configuration
    requirements: tuple[Requirement, ...]
    applications: tuple[Application, ...]
    metadata: tuple[Metadata, ...]
    engines: tuple[Engine, ...]
    session_makers: tuple[SessionMaker, ...]
    session_dependencies: tuple[SessionDependency, ...]
    token_functions: tuple[TokenFunction, ...]
    migrations: tuple[AlembicEnvironment, ...]
    fixtures: tuple[Fixture, ...]


def find(project: Project) -> Finds:
    """Return the survey of *project*; nothing is imported, and nothing written."""
    with without_collecting():
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
