"""The statements of one request in two states of the database: a query in a loop is executed once for each row."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from ..errors import UsageError
from ..queries import QueryLog, Repeated
from .checks import left_open
from .contract import Contract, OperationProbe
from .findings import Growing, RowStorer
from .requester import Reaction, Requester
from .requests import PreparedRequest
from .watch import Watch


class Growth:
    """The check that the statements of one operation do not grow with its rows.

    Attributes:
        has_compared: Whether a request has read more rows in the second state than in the first.

    Args:
        contract: The project's declarations.
        probe: The operation.
        requester: The sender of the requests.
        watch: The watch over the databases.
        recording: Records statements.
        arguments: The fixtures that the project's function takes.
    """

    def __init__(
        self,
        contract: Contract,
        probe: OperationProbe,
        requester: Requester,
        watch: Watch,
        recording: Callable[[], AbstractContextManager[QueryLog]],
        arguments: Mapping[str, Any],
    ) -> None:
        self._contract = contract
        self._probe = probe
        self._requester = requester
        self._watch = watch
        self._recording = recording
        self._arguments = arguments
        self._storer = storer_of(contract.growth, tuple(arguments))
        self._is_known_to_store = False
        self.has_compared = False

    @property
    def reason(self) -> str:
        """The reason why the test has shown nothing."""
        return f"no request to {self._probe} has read more rows after {self._storer.name}() than before"

    async def check(self, _: Any, request: PreparedRequest) -> None:
        """Send *request* before and after the project's function has stored rows, and compare the statements.

        Raises:
            ContractError: If a statement is repeated more often, or the application fails with the rows.
        """
        request = request.without_carried(self._requester.client)
        small, before = await self._measured(request)
        if before is None or before.status >= 400:
            return
        with self._watch.begun():
            await self._store()
        large, after = await self._measured(request)
        if after is None:
            return
        finding = replace(self._requester.finding(self._probe, request, after), storer=self._storer)
        if self._contract.is_failure(after.status):
            raise finding.failed() from after.error
        rows = _rows(small), _rows(large)
        self.has_compared |= rows[1] > rows[0]
        if grown := grown_in(small, large):
            raise finding.grows(Growing((small.count, large.count), rows, tuple(grown)))

    async def _measured(self, request: PreparedRequest) -> tuple[QueryLog, Reaction | None]:
        with self._recording() as log:
            answer = await self._requester.sent(request)
        return log, answer

    async def _store(self) -> None:
        function: Any = self._contract.growth
        stored = function(**self._arguments)
        if self._storer.is_async:
            await stored
        if await left_open(self._watch):
            self._watch.end_open()
            raise UsageError(
                f"{self._storer.name}() has left a transaction open that has written, or locks.",
                why="The application sees committed rows only.",
                do="Commit at its end.",
            )
        if not self._is_known_to_store and not self._watch.changes(()):
            raise UsageError(
                f"{self._storer.name}(), the growth of api_contract, has stored no rows.",
                why="It has added nothing, or has not committed: the application sees committed rows only.",
                do="Store some ten rows beside those that fixtures have stored, and commit.",
            )
        self._is_known_to_store = True


def storer_of(function: Any, fixtures: tuple[str, ...]) -> RowStorer:
    """Return the name and the module of the project's *function*, for a test to paste."""
    return RowStorer(function.__name__, function.__module__, fixtures, inspect.iscoroutinefunction(function))


def grown_in(small: QueryLog, large: QueryLog) -> list[tuple[Repeated, int]]:
    """Return the statements that are repeated in *large*, more often than in *small*, and their number there.

    A statement that is executed once in *large* has not grown: selectinload() executes none where there is no row.
    """
    grown = []
    for repeated in large.repeated():
        times = sum((each.sql, str(each.location)) == (repeated.sql, str(repeated.location)) for each in small)
        if repeated.times > times:
            grown.append((repeated, times))
    return grown


def _rows(log: QueryLog) -> int:
    return sum(max(statement.rowcount, 0) for statement in log)
