"""The end of a run: each process's figures, those of pytest-xdist's workers merged in the controller."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .figures import Figures

# The key in what a worker sends to the controller when it ends.
SENT = "pytest_crucible"


class Summary:
    """Collects and prints. Registered as a plugin where Crucible is on.

    A worker that crashes sends nothing: its figures are lost, and only they.

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
        """Collect what was kept; a worker's report arrives in the controller too, also if the worker crashes later."""
        self._kept += [str(value) for name, value in report.user_properties if name == "crucible_kept"]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """In a worker, hand the figures over; else fail a run in which tests used another database only."""
        output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[SENT] = self._figures().plain()
        elif self._merged().missed and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """In the controller, take a worker's figures."""
        sent = getattr(node, "workeroutput", {}).get(SENT)
        if sent is not None:
            self._workers.append(Figures.of(sent))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how to open what was kept, and what is worth knowing."""
        for line in self._lines():
            terminalreporter.write_line(f"crucible: {line}")
        missed = ", ".join(self._merged().missed)
        if missed:
            terminalreporter.write_line(
                f"crucible: ERROR: no test used PostgreSQL: {missed}. Nothing was isolated, and the run fails. Give the"
                ' engine the URL of a PostgreSQL database, or set crucible_other_dialects = "allow".',
                red=True,
            )

    def _merged(self) -> Figures:
        return self._figures().merged(self._workers)

    def _lines(self) -> Iterator[str]:
        for name in dict.fromkeys(self._kept):
            yield _how_to_open(name, self._server)
        yield from self._merged().lines()


def _how_to_open(name: str, server: str) -> str:
    """Return one line on the kept database *name*.

    Args:
        name: The database.
        server: ``crucible_server``, without its password.
    """
    kind = server.partition(":")[0]
    if kind == "container-per-worker":
        return f"{name} went with its container; one that is shared can be kept running by crucible server"
    where = "" if server == "embedded" else f"--server '{server}' "
    line = f"kept {name}; open it with: crucible psql {where}{name}"
    if kind == "container":
        line += f" (while its container is there: crucible server {where}keeps that running)"
    return line
