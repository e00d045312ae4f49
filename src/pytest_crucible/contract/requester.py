"""The sender of the requests of one test, and the reactions of the application to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .contract import OperationProbe
from .findings import RequestFinding
from .requests import ALONE, ALWAYS, Chain, PreparedRequest, SentRequest


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


@dataclass(frozen=True)
class Requester:
    """The sender of requests by the client of one test.

    Attributes:
        client: An httpx client of the application.
        fixture: The name of its fixture.
        mark: The mark that an asynchronous test of the project needs, or an empty text.
    """

    client: Any
    fixture: str
    mark: str

    async def sent(self, request: PreparedRequest) -> Reaction | None:
        """Send *request*, and return the reaction; None if no client can send it."""
        built = request.of(self.client)
        if built is None:
            return None
        try:
            response = await self.client.send(built)
        except Exception as error:  # noqa: BLE001 - whatever the application does not handle
            return Reaction(error=error)
        return Reaction(response)

    def finding(
        self, probe: OperationProbe, request: PreparedRequest, answer: Reaction, chain: Chain = ALONE
    ) -> RequestFinding:
        """Return the facts of *request* to the operation of *probe*, the last one of *chain*."""
        placeholders = tuple(name for name in self.client.headers if name.lower() not in ALWAYS)
        sent = SentRequest(request, answer.status, chain)
        return RequestFinding(probe, str(answer), sent, self.fixture, self.mark, placeholders)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]
