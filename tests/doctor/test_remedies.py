"""Every remedy is right when it is followed: the finding is gone, and the suite is green."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_crucible.doctor import CHECKS

from .conftest import WELL, Patient
from .remedies import ELSEWHERE, REMEDIES, WITHOUT, Remedy

NAMES = [pytest.param(remedy, name.partition(",")[0], id=name) for name, remedy in REMEDIES.items()]
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
    environ = {**os.environ, "CRUCIBLE_CACHE": str(server_cache)}
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-W",
        "error::UserWarning",
    ]
    done = subprocess.run(words, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=120)
    assert re.search(rf"^{remedy.passes} passed", done.stdout, re.MULTILINE), done.stdout + done.stderr
    assert done.returncode == 0


def test_every_finding_has_a_remedy():
    """No check is without a project on which its remedy is followed."""
    followed = {name.partition(",")[0] for name in REMEDIES}
    assert {check.code for check in CHECKS} == followed | ELSEWHERE.keys() | WITHOUT
