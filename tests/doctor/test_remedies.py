"""Every remedy is right when it is followed: the finding is gone, and the suite is green."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_crucible.doctor import CHECKS

from .conftest import WELL, Patient
from .remedies import ELSEWHERE, REMEDIES, WITHOUT, Remedy, run

NAMES = [pytest.param(remedy, name.partition(",")[0], id=name) for name, remedy in REMEDIES.items()]
# Errors that fail under Crucible as well as the finding says; without Crucible, others pass and test nothing.
FAILING = [
    "creates-database",
    "engine-creator",
    "event-loop-fixture",
    "loop-scope-mismatch",
    "model-not-imported",
    "schema-wrong",
    "setting-wrong",
    "sqlite-engine",
]
RUN = [pytest.param(remedy, id=name) for name, remedy in REMEDIES.items() if remedy.passes]


def write(root: Path, remedy: Remedy, number: int) -> Patient:
    """Return the project before (0) or after (1) the remedy."""
    files = remedy.files(number)
    for name, text in files.items():
        if text is None:
            (root / name).unlink(missing_ok=True)
    written = {name: text for name, text in files.items() if text is not None}
    return Patient(root).write(written).on(WELL, **remedy.machine[number])


@pytest.mark.parametrize(("remedy", "code"), NAMES)
def test_the_finding_is_gone(tmp_path: Path, remedy: Remedy, code: str):
    """A project with the fault has the finding, and none after its remedy."""
    assert len(write(tmp_path, remedy, 0).found(code)) == 1
    after = write(tmp_path, remedy, 1)
    assert {code, "unreadable-module"}.isdisjoint(after.codes())


@pytest.mark.slow
@pytest.mark.parametrize("remedy", RUN)
def test_the_suite_is_green(tmp_path: Path, server_cache: Path, remedy: Remedy):
    """After the remedy, all tests of the project pass."""
    write(tmp_path, remedy, 0)
    write(tmp_path, remedy, 1)
    done = run(tmp_path, server_cache)
    assert re.search(rf"^{remedy.passes} passed", done.stdout, re.MULTILINE), done.stdout + done.stderr
    assert done.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", FAILING)
def test_the_suite_is_red_before(tmp_path: Path, server_cache: Path, name: str):
    """Before the remedy of an error, the suite fails."""
    write(tmp_path, REMEDIES[name], 0)
    done = run(tmp_path, server_cache)
    assert done.returncode != 0, done.stdout
    if name == "creates-database":
        assert "permission denied to create database" in done.stdout


def test_every_finding_has_a_remedy():
    """No check is without a project on which its remedy is followed."""
    followed = {name.partition(",")[0] for name in REMEDIES}
    assert {check.code for check in CHECKS} == followed | ELSEWHERE.keys() | WITHOUT
