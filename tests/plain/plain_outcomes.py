"""What came of the tests of a run: their outcomes, and the warnings."""

from __future__ import annotations

import warnings

import pytest

LINES = 12  # of each failure's report


class Outcomes:
    """A plugin that notes what a run reports.

    Attributes:
        tests: Of each test, its outcomes (``call passed``; ``teardown failed``).
        warnings: The texts of the warnings that the summary shows.
        errors: The reports of what failed.
    """

    def __init__(self) -> None:
        self.tests: dict[str, list[str]] = {}
        self.warnings: set[str] = set()
        self.errors: list[str] = []
        self.exit = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a call, and whatever else did not pass."""
        if report.when == "call" or not report.passed:
            subtest = getattr(report, "context", "")
            said = f"{report.when} {report.outcome} {subtest}".strip()
            self.tests.setdefault(report.nodeid, []).append(said)
        if report.failed:
            text = "\n".join(str(report.longrepr).splitlines()[-LINES:])
            self.errors.append(f"{report.nodeid} ({report.when}): {text}")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what could not be collected."""
        if report.failed:
            self.tests[report.nodeid] = ["collect failed"]
            self.errors.append(f"{report.nodeid}: {report.longrepr}")

    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage, nodeid: str) -> None:
        """Note a warning."""
        self.warnings.add(f"{nodeid}: {warning_message.category.__name__}: {warning_message.message}")

    def differences(self, other: Outcomes) -> dict[str, tuple[list[str] | None, list[str] | None]]:
        """Return the tests that came out differently, each with its outcomes here and there."""
        pairs = {name: (self.tests.get(name), other.tests.get(name)) for name in {*self.tests, *other.tests}}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
