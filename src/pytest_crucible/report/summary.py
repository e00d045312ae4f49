"""The summary of a run: the figures of its processes, merged in the controller of pytest-xdist."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .figures import Figures

# The key of the figures in the output that a worker sends to the controller when it ends.
SENT = "pytest_crucible"
SQLITE = ", without check_same_thread and StaticPool"


class Summary:
    """The plugin that collects figures and prints the summary, registered if Crucible is on.

    A worker that crashes sends nothing: only its figures are lost.

    Args:
        figures: This process's own figures.
        server: ``crucible_server``, without its password.
    """

    def __init__(self, figures: Callable[[], Figures], server: str) -> None:
        self._figures = figures
        self._server = server
        self._kept: list[str] = []
        self._workers: list[Figures] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect the kept databases; a worker's report reaches the controller even if the worker crashes later."""
        self._kept += [str(value) for name, value in report.user_properties if name == "crucible_kept"]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send a worker's figures; elsewhere, fail a run whose tests used only databases of other dialects."""
        output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[SENT] = self._figures().plain()
        elif self._merged().missed and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Take a worker's figures, in the controller."""
        sent = getattr(node, "workeroutput", {}).get(SENT)
        if sent is not None:
            self._workers.append(Figures.of(sent))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print how to open the kept databases, and the figures."""
        for line in self._lines():
            terminalreporter.write_line(f"crucible: {line}")
        missed = ", ".join(self._merged().missed)
        if missed:
            terminalreporter.write_line(
                f"crucible: ERROR: no test used PostgreSQL: {missed}. Nothing was isolated, and the run fails. Give the"
                f" engine the URL of a PostgreSQL database{SQLITE if 'sqlite' in missed else ''}, or set"
                ' crucible_other_dialects = "allow".',
                red=True,
            )

    def _merged(self) -> Figures:
        return self._figures().merged(self._workers)

    def _lines(self) -> Iterator[str]:
        for name in dict.fromkeys(self._kept):
            yield _how_to_open(name, self._server)
        yield from self._merged().lines()


def _how_to_open(name: str, server: str) -> str:
    """Return one line on the kept database *name*."""
    kind = server.partition(":")[0]
    if kind == "container-per-worker":
        return f"{name} is gone with its container; a shared container can be kept running with crucible server"
    where = "" if server == "embedded" else f"--server '{server}' "
    line = f"kept {name}; open it with: crucible psql {where}{name}"
    if kind == "container":
        line += f" (while its container runs: crucible server {where}keeps it running)"
    return line
