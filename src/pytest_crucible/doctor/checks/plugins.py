"""Checks of fixtures of other plugins, and of the project, that have the name of one of Crucible's."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ...project.fixtures import fixtures
from ...project.modules import Project, module_at
from ..case import Case
from ..findings import Finding

OURS = "pytest-crucible"
# Fixtures that a project is meant to override.
MEANT = {"auth_scheme", "client_options", "current_user_dependency", "faker_seed", "test_user"}


@cache
def fixture_names(files: tuple[Path, ...]) -> frozenset[str]:
    """Return the fixtures that a plugin's files define; the files are read, not imported."""
    return frozenset(name for path in files for name in _in_file(path))


def _in_file(path: Path) -> Iterator[str]:
    try:
        source = path.read_text("utf-8", "replace")
    except OSError:
        return
    if "fixture" in source and "pytest" in source:
        module = module_at(path.parent, path)
        yield from (fixture.name for fixture in fixtures(Project(path.parent, (module,))))


def our_names() -> frozenset[str]:
    """Return the fixtures of Crucible that a test may request."""
    folder = Path(__file__).parents[2] / "fixtures"
    names = fixture_names(tuple(sorted(folder.glob("*.py"))))
    return frozenset(name for name in names if not name.startswith("crucible_"))


def clashes(case: Case) -> Iterator[Finding]:
    """Yield each fixture of another plugin that Crucible's hides, unless the project has one of its own."""
    others = [plugin for plugin in case.machine.plugins if plugin.name != OURS] if case.settings.on else []
    overridden = {fixture.name for fixture in case.fixtures if fixture.module.is_test}
    for name in sorted(our_names() - overridden):
        owners = sorted(plugin.name for plugin in others if name in fixture_names(plugin.files))
        if owners:
            yield Finding(
                f"{' and '.join(owners)} and Crucible both have a fixture {name}.",
                "Crucible's wins, since it is registered last.",
                f"If you need the other one, override Crucible's with a fixture {name} of your own in conftest.py.",
            )


def shadowed(case: Case) -> Iterator[Finding]:
    """Yield each fixture of the project that overrides one of Crucible's."""
    names = our_names() - MEANT if case.settings.on else frozenset()
    for fixture in case.fixtures:
        if fixture.name in names and fixture.name not in fixture.arguments:
            yield Finding(
                f"The fixture {fixture.name} takes the place of Crucible's.",
                "A fixture of the project always wins, as everywhere in pytest.",
                "Delete it if Crucible's fixture is enough; keep it if it is intended.",
                case.where(fixture.module),
                fixture.node.lineno,
            )
