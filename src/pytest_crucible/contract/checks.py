"""The checks of one request: what an operation may not do, whatever the request.

Each check raises at a line of its own: Hypothesis tells failures by their lines, and shrinks each for itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import anyio

from ..isolation.leaks import Leak
from .cases import Cases
from .contract import Contract, OperationProbe
from .findings import RequestFinding
from .requests import ALWAYS, PreparedRequest
from .watch import Watch

# A task of the application may still be about to end its transaction.
PATIENCE_SECONDS = 0.1


@dataclass(frozen=True)
class Reaction:
    """The answer of the application: a response, or the exception that it did not handle."""

    response: Any = None
    error: Exception | None = None

    @property
    def status(self) -> int:
        """The status; 500 for an exception."""
        return 500 if self.response is None else int(self.response.status_code)

    def __str__(self) -> str:
        if self.error is not None:
            return f"raised {type(self.error).__name__}: {_first_line(self.error)}"
        return f"answered {self.status}"


class Checks:
    """The checks of the requests to one operation.

    Args:
        contract: The project's declarations.
        probe: The operation, and whether it is asked with credentials.
        client: An httpx client of the application.
        fixture: The name of its fixture.
        cases: The requests.
        mark: The mark that an asynchronous test of the project needs, or an empty text.
    """

    def __init__(
        self, contract: Contract, probe: OperationProbe, client: Any, fixture: str, cases: Cases, mark: str
    ) -> None:
        self._contract = contract
        self._probe = probe
        self._client = client
        self._fixture = fixture
        self._cases = cases
        self._mark = mark

    async def check(self, case: Any, request: PreparedRequest, watch: Watch) -> None:
        """Send one request, and check what it has done.

        Args:
            case: Schemathesis's case, of which the request is made.
            request: The request.
            watch: The watch over the databases, which has begun.

        Raises:
            ContractError: If the operation has done what it may not.
        """
        request = request.without_carried(self._client)
        sent = request.of(self._client)
        if sent is None:
            return
        answer = await self._sent(sent)
        finding = self._finding(request, answer)
        leaks = await _left_open(watch)
        # First: rows cannot be read while an open transaction locks their table against readers.
        if leaks:
            watch.end_open()
            raise finding.left_open(leaks)
        changes = watch.changes(self._contract.may_write) if answer.status >= 400 else ()
        if changes:
            raise finding.changed(changes) from answer.error
        if answer.status >= 500 and answer.status not in self._contract.allowed:
            raise finding.failed() from answer.error
        violation = self._violation(case, answer)
        if violation:
            raise finding.undescribed(violation)

    async def _sent(self, request: Any) -> Reaction:
        try:
            response = await self._client.send(request)
        except Exception as error:  # noqa: BLE001 - whatever the application does not handle
            return Reaction(error=error)
        return Reaction(response)

    def _violation(self, case: Any, answer: Reaction) -> str:
        if not self._contract.responses or answer.response is None:
            return ""
        return self._cases.violation(case, answer.response)

    def _finding(self, request: PreparedRequest, answer: Reaction) -> RequestFinding:
        placeholders = [name for name in self._client.headers if name.lower() not in ALWAYS]
        return RequestFinding(
            self._probe, str(answer), answer.status, request, self._fixture, self._mark, tuple(placeholders)
        )


async def _left_open(watch: Watch) -> Sequence[Leak]:
    leaks = watch.left_open()
    if leaks:
        await anyio.sleep(PATIENCE_SECONDS)
        leaks = watch.left_open()
    return leaks


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
