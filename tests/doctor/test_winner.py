"""Who wins where two claim a fixture's name: what the findings say is so."""

from pathlib import Path

from ..conftest import Project

OTHER = """
import pytest

@pytest.fixture
def db_session():
    return "the other plugin's"
"""
TEST = """
def test_who(db_session):
    assert isinstance(db_session, str) == {theirs}
"""


def test_crucible_wins_over_another_plugin(project: Project):
    """Crucible registers its fixtures last, and they win over those of any other plugin."""
    plugin = Path(project.root, "other_plugin.py")
    plugin.write_text(OTHER, "utf-8")
    project.run(TEST.format(theirs=False), "-p", "other_plugin").assert_outcomes(passed=1)


def test_the_project_wins_over_crucible(project: Project):
    """A fixture of the project's own wins over every plugin's."""
    project.run(OTHER + TEST.format(theirs=True)).assert_outcomes(passed=1)
