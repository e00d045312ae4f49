"""The project itself, as `crucible doctor` sees it."""

from pathlib import Path

from pytest_crucible.doctor import diagnose

ROOT = Path(__file__).parents[2]


def test_nothing_is_wrong_with_this_project() -> None:
    """No fixture, engine, setting or model is one that crucible doctor warns of."""
    diagnosis = diagnose(ROOT, without=("import", "server"))
    assert [finding for finding in diagnosis.findings if finding.file and finding.severity != "note"] == []
