"""Hints on errors, in pytest's reports of them."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from ..errors.hints import Hints


class Hinted:
    """Adds the hints to each report of an error. Registered as a plugin where Crucible is on.

    Args:
        hints: The hints on errors of this run.
    """

    def __init__(self, hints: Hints) -> None:
        self._hints = hints

    # The outermost wrapper: the report that is made of the error inside shows its notes.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add the hints to an error of set-up, call or teardown: as notes, or in a section where there are no notes."""
        hints = self._hints.attach(call.excinfo.value) if call.excinfo is not None else []
        report = yield
        report.sections += _sections(hints)
        return report

    def pytest_exception_interact(
        self, call: pytest.CallInfo[Any], report: pytest.CollectReport | pytest.TestReport
    ) -> None:
        """Add them to an error while tests are collected, whose report is made already."""
        if isinstance(report, pytest.CollectReport) and call.excinfo is not None:
            report.sections += _sections(self._hints.on(call.excinfo.value))

    @pytest.hookimpl(tryfirst=True)
    def pytest_internalerror(self, excrepr: Any, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Add them to an error of a conftest's hook."""
        for title, text in _sections(self._hints.on(excinfo.value)):
            excrepr.addsection(title, text)


def _sections(hints: list[str]) -> list[tuple[str, str]]:
    return [("crucible", "\n\n".join(hints))] if hints else []
