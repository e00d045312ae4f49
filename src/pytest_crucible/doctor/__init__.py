"""The diagnosis of a project's tests and of this machine: findings, each with its cause and its remedy.

::

    from pytest_crucible.doctor import diagnose

    diagnosis = diagnose(Path.cwd())
    for finding in diagnosis.findings:
        print(finding.file, finding.line, finding.code, finding.found)
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from ..errors import UsageError
from ..project.modules import Project, read, without_collecting
from ..project.pytest_configuration import configuration
from ..project.survey import find
from .case import Case
from .checks.packages import shown_versions
from .checks.settings import settings_of
from .findings import SEVERITIES, Diagnosis, Finding
from .output import as_json, as_text
from .probes.machine import Machine, here
from .registry import CHECKS, Check

__all__ = ["CHECKS", "Case", "Check", "Diagnosis", "Finding", "Machine", "as_json", "as_text", "case_of", "diagnose"]

COMMENT = re.compile(r"#\s*crucible:\s*ignore\[([\w\s,-]+)\]")


def case_of(root: Path, *, machine: Machine | None = None) -> Case:
    """Read the project at *root* and this machine, ready for the checks.

    Raises:
        UsageError: There is no such folder, or a file that configures the project cannot be parsed.
    """
    if not root.is_dir():
        raise UsageError(f"There is no folder {root}.", do="Name the project's root folder: --root FOLDER.")
    finds = find(_own(read(root)))
    environ = dict(os.environ)
    return Case(finds, settings_of(finds.project.root, finds.configuration, environ), machine or here(), environ)


def _own(project: Project) -> Project:
    """Return *project* without the projects inside it: folders with their own configuration of pytest."""
    folders = {folder for one in project.modules for folder in one.path.parents if project.root in folder.parents}
    roots = {folder for folder in folders if _is_configured(folder)}
    return Project(project.root, tuple(one for one in project.modules if roots.isdisjoint(one.path.parents)))


def _is_configured(folder: Path) -> bool:
    try:
        return configuration(folder).file is not None
    except UsageError:  # a file that cannot be parsed: a template of a configuration, for instance
        return True


def diagnose(
    root: Path, *, ignore: Collection[str] = (), without: Collection[str] = (), case: Case | None = None
) -> Diagnosis:
    """Run every check.

    Args:
        root: The project's root folder.
        ignore: Codes whose findings are left out.
        without: Steps to leave out: ``import`` of the project, queries to the ``server``.
        case: The case, if it exists already.

    Raises:
        UsageError: A code does not exist, or a file that configures the project cannot be parsed.
    """
    _known(ignore)
    case = case or case_of(root)
    case = case.without(without)
    checks = [check for check in CHECKS if check.code not in ignore and check.needs not in without]
    with without_collecting():
        found = [finding.of(check.code, check.severity) for check in checks for finding in _run(check, case)]
    left = [finding for finding in found if not _is_ignored(case, finding)]
    order = {severity: number for number, severity in enumerate(SEVERITIES)}
    left.sort(key=lambda one: (one.file == "", one.file, order[one.severity or "note"], one.line, one.code))
    versions = shown_versions(case) | ({"server": case.server.note} if case.server.note else {})
    return Diagnosis(str(case.root), versions, tuple(left), len(found) - len(left))


def _run(check: Check, case: Case) -> Iterator[Finding]:
    """Yield the findings of a check; a check that fails must not hide the findings of others."""
    try:
        yield from check.run(case)
    except Exception as error:  # noqa: BLE001 - a fault of Crucible, in a kind of project that is not foreseen
        yield Finding(
            f"The check {check.code} failed: {type(error).__name__}: {error}",
            "This is a fault in Crucible, not in the project.",
            f"Report it, and skip the check in the meantime: --ignore {check.code}.",
            severity="note",
        )


def _known(codes: Collection[str]) -> None:
    known = [check.code for check in CHECKS]
    for code in codes:
        if code not in known:
            raise UsageError(f"There is no finding {code!r}.", why=f"The known codes are: {', '.join(known)}.")


def _is_ignored(case: Case, finding: Finding) -> bool:
    """Return whether a comment ignores the finding, on its line or on the line above."""
    path = case.root / finding.file
    if not finding.line or not path.is_file():
        return False
    lines = path.read_text("utf-8", "replace").splitlines()[max(0, finding.line - 2) : finding.line]
    return any(finding.code in re.split(r"[\s,]+", found) for line in lines for found in COMMENT.findall(line))
