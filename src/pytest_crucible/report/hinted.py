"""Hints on errors, in pytest's reports of them."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from ..errors.hints import Hints


class Hinted:
    """The plugin that adds the hints to each report of an error, registered if Crucible is on."""

    def __init__(self, hints: Hints) -> None:
        self._hints = hints

    # The outermost wrapper: the inner hooks make the report of the error when it has its notes already.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add the hints to an error of a test: as notes, or as a section if Python has no notes."""
        hints = self._hints.attach(call.excinfo.value) if call.excinfo is not None else []
        report = yield
        report.sections += _sections(hints)
        return report

    def pytest_exception_interact(
        self, call: pytest.CallInfo[Any], report: pytest.CollectReport | pytest.TestReport
    ) -> None:
        """Add the hints to an error of the collection, whose report is made already."""
        if isinstance(report, pytest.CollectReport) and call.excinfo is not None:
            report.sections += _sections(self._hints.on(call.excinfo.value))

    @pytest.hookimpl(tryfirst=True)
    def pytest_internalerror(self, excrepr: Any, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Add the hints to an error of a conftest's hook."""
        for title, text in _sections(self._hints.on(excinfo.value)):
            excrepr.addsection(title, text)


def _sections(hints: list[str]) -> list[tuple[str, str]]:
    return [("crucible", "\n\n".join(hints))] if hints else []
