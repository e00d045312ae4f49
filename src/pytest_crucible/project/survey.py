"""The survey of a project's code: every candidate, none chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .alembic import AlembicEnvironment, migrations, targets
from .applications import Application, applications
from .bindings import bindings
from .engines import Engine, SessionDependency, SessionMaker, engines, session_dependencies, session_makers
from .fixtures import Fixture, fixtures
from .models import Metadata, metadata
from .modules import Project, without_collecting
from .names import imported, origin
from .overrides import SuiteOverride, overrides
from .pytest_configuration import Configuration, configuration
from .requirements import Requirement, requirements
from .tokens import TokenFunction, token_functions


@dataclass(frozen=True)
class Finds:
    """The results of the survey of one project; each list in a stable order, the likeliest first.

    Attributes:
        targets: The full names of the objects that Alembic's ``env.py`` takes the metadata of.
        bound: The full names of bases, each with the engine that it is created on or bound to.
        tested: The full names that tests of the application import, those that a conftest imports first.
    """

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
    targets: tuple[str, ...]
    fixtures: tuple[Fixture, ...]
    overrides: tuple[SuiteOverride, ...]
    bound: tuple[tuple[str, Engine], ...]
    tested: tuple[str, ...]


def find(project: Project) -> Finds:
    """Return the survey of *project*; nothing is imported, and nothing written."""
    with without_collecting():
        found, environments, apps = fixtures(project), migrations(project.root), applications(project)
        made, dependencies = engines(project), session_dependencies(project)
        return Finds(
            project,
            configuration(project.root),
            tuple(requirements(project.root)),
            tuple(apps),
            tuple(metadata(project)),
            tuple(made),
            tuple(session_makers(project)),
            tuple(dependencies),
            tuple(token_functions(project)),
            tuple(environments),
            tuple(name for environment in environments for name in targets(project, environment)),
            tuple(found),
            tuple(overrides(project, found, dependencies)),
            tuple(bindings(project, made)),
            tuple(tested(project, apps)),
        )


def tested(project: Project, candidates: Sequence[Application]) -> list[str]:
    """Return the full names of *candidates* and what else the tests import with them.

    Those that a conftest imports come first, then by frequency.
    """
    words = {name for one in candidates for name in (one.place.name, one.place.module.rpartition(".")[2])}
    counts: Counter[str] = Counter()
    for module in project.tests if words else ():
        weight = 1000 if module.path.name == "conftest.py" else 1
        for dotted in set(imported(module).values()) if module.mentions(*words) else ():
            counts[origin(project, dotted)] += weight
    return [name for name, _ in counts.most_common()]
