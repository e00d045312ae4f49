"""The output of a diagnosis: text for users, JSON for programs."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Iterator
from itertools import groupby

from ..errors.counting import counted
from .findings import SEVERITIES, Diagnosis, Finding

SCHEMA = 1
NARROWEST, WIDEST = 60, 120
NOWHERE = "this machine and environment"


def as_json(diagnosis: Diagnosis) -> str:
    """Return the diagnosis as JSON; ``schema`` changes when a name in it changes or is removed."""
    return json.dumps(
        {
            "schema": SCHEMA,
            "root": diagnosis.root,
            "versions": diagnosis.versions,
            "findings": [_finding(finding) for finding in diagnosis.findings],
            "counts": {severity: diagnosis.count(severity) for severity in SEVERITIES},
            "ignored": diagnosis.ignored,
        },
        indent=2,
        ensure_ascii=False,
    )


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "code": finding.code,
        "severity": finding.severity,
        "file": finding.file or None,
        "line": finding.line or None,
        "found": finding.found,
        "why": finding.why,
        "do": finding.do,
    }


def as_text(diagnosis: Diagnosis) -> str:
    """Return the diagnosis as text: by file, the worst finding first, with a summary line."""
    return "\n".join([*_groups(diagnosis), ", ".join(map(" ".join, diagnosis.versions.items())), _summary(diagnosis)])


def _groups(diagnosis: Diagnosis) -> Iterator[str]:
    for file, findings in groupby(diagnosis.findings, key=lambda finding: finding.file):
        yield file or NOWHERE
        for finding in findings:
            yield from _lines(finding)
        yield ""


def _lines(finding: Finding) -> Iterator[str]:
    place = f"{finding.file}:{finding.line}: " if finding.line else ""
    yield f"  {place}{finding.severity} [{finding.code}]"
    columns = shutil.get_terminal_size((WIDEST, 0)).columns
    wrapper = textwrap.TextWrapper(
        max(NARROWEST, min(columns, WIDEST)),
        initial_indent="    ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    for text in (finding.found, finding.why, finding.do and f"→ {finding.do}"):
        for line in text.splitlines():
            yield from wrapper.wrap(line)


def _summary(diagnosis: Diagnosis) -> str:
    counts = {severity: diagnosis.count(severity) for severity in SEVERITIES}
    text = ", ".join(counted(count, severity) for severity, count in counts.items() if count) or "nothing found"
    return f"crucible doctor: {text}" + (f" ({diagnosis.ignored} ignored)" if diagnosis.ignored else "")
