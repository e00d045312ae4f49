"""The results of the checks: findings, and the diagnosis that collects them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ..errors.masking import mask

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault, or one fact worth knowing.

    Attributes:
        found: The fault, in one sentence.
        why: Its consequence.
        do: The remedy: what to write or run instead.
        file: The file, relative to the project's root; empty if the finding is about no file.
        line: The line in the file; 0 if the finding is about the whole file.
        severity: ``error`` (tests fail, or pass without testing anything), ``warning`` (they will, or may) or
            ``note``; by default the severity of the check.
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
        """Return the finding with the check's *code*, and with its *severity* as the default."""
        return replace(self, found=mask(self.found), why=mask(self.why), code=code, severity=self.severity or severity)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The findings of all checks.

    Attributes:
        root: The project's root folder.
        versions: The installed versions by name.
        findings: The findings, in the order in which they are shown.
        ignored: The number of findings that the user's comments suppress.
    """

    root: str
    versions: dict[str, str]
    findings: tuple[Finding, ...]
    ignored: int = 0

    def count(self, severity: Severity) -> int:
        """Return the number of findings of this *severity*."""
        return sum(finding.severity == severity for finding in self.findings)

    def exit_code(self, *, strict: bool = False) -> int:
        """Return 1 if a finding is worse than a note, or with *strict* if there is any; else 0."""
        worth = SEVERITIES if strict else SEVERITIES[:2]
        return int(any(finding.severity in worth for finding in self.findings))
