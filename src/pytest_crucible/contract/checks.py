"""The checks of one request: what an operation may not do, whatever the request.

Each check raises at a line of its own: Hypothesis tells failures by their lines, and shrinks each for itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio

from ..isolation.leaks import Leak
from .cases import violation
from .contract import Contract, OperationProbe
from .requester import Reaction, Requester
from .requests import ALONE, Chain, PreparedRequest
from .watch import Watch

# A task of the application may still be about to end its transaction.
PATIENCE_SECONDS = 0.1


class Checks:
    """The checks of the requests to one operation.

    Args:
        contract: The project's declarations.
        probe: The operation, and whether it is asked with credentials.
        requester: The sender of the requests.
        watch: The watch over the databases.
        chain: The requests before the one that is checked.
    """

    def __init__(
        self, contract: Contract, probe: OperationProbe, requester: Requester, watch: Watch, chain: Chain = ALONE
    ) -> None:
        self._contract = contract
        self._probe = probe
        self._requester = requester
        self._watch = watch
        self._chain = chain

    async def check(self, case: Any, request: PreparedRequest) -> Reaction | None:
        """Send one request, check what it has done, and return the answer; None if no client can send it.

        Args:
            case: Schemathesis's case, of which the request is made.
            request: The request.

        Raises:
            ContractError: If the operation has done what it may not.
        """
        request = request.without_carried(self._requester.client)
        with self._watch.begun():
            answer = await self._requester.sent(request)
            if answer is None:
                return None
            finding = self._requester.finding(self._probe, request, answer, self._chain)
            leaks = await left_open(self._watch)
            # First: rows cannot be read while an open transaction locks their table against readers.
            if leaks:
                self._watch.end_open()
                raise finding.left_open(leaks)
            changes = self._watch.changes(self._contract.may_write) if answer.status >= 400 else ()
        if changes:
            raise finding.changed(changes) from answer.error
        if self._contract.is_failure(answer.status):
            raise finding.failed() from answer.error
        if self._contract.responses and answer.response is not None:
            undescribed = violation(case, answer.response)
            if undescribed:
                raise finding.undescribed(undescribed)
        return answer


async def left_open(watch: Watch) -> Sequence[Leak]:
    """Return the open transactions that have written, or lock, after some patience."""
    leaks = watch.left_open()
    if leaks:
        await anyio.sleep(PATIENCE_SECONDS)
        leaks = watch.left_open()
    return leaks
