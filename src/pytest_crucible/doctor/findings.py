"""What a check found, and what became of all checks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ..errors.masking import mask

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Attributes:
        found: What was found, in one sentence.
        why: What it leads to.
        do: What to write or run instead.
        file: Where, relative to the project's root; empty where it is no file.
        line: The line in it; 0 where it is the file as a whole.
        severity: ``error`` (tests fail, or pass without saying anything), ``warning`` (they will, or may) or
            ``note``; where a check leaves it out, the one of its code.
        code: The name of the check, which stays the same between releases.
    """

    found: str
    why: str = ""
    do: str = ""
    file: str = ""
    line: int = 0
    severity: Severity | None = None
    code: str = ""

    def of(self, code: str, severity: Severity) -> Finding:
        """Return the same as a finding of the check *code*, whose usual severity is *severity*."""
        return replace(self, found=mask(self.found), why=mask(self.why), code=code, severity=self.severity or severity)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What all checks found.

    Attributes:
        root: The project's root folder.
        versions: What is installed, by name.
        findings: In the order in which they are shown.
        ignored: How many findings were left out because the user said so.
    """

    root: str
    versions: dict[str, str]
    findings: tuple[Finding, ...]
    ignored: int = 0

    def count(self, severity: Severity) -> int:
        """How many findings are of this *severity*."""
        return sum(finding.severity == severity for finding in self.findings)

    def exit_code(self, *, strict: bool = False) -> int:
        """1 where anything is worse than a note, or with *strict* anything at all; else 0."""
        worth = SEVERITIES if strict else SEVERITIES[:2]
        return int(any(finding.severity in worth for finding in self.findings))
