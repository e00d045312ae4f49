"""The fault that a request has shown: an error with the request as a curl line, and as a test to paste."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import indent

from ..control.row_changes import RowChange
from ..errors import ContractError
from ..isolation.leaks import Leak
from .contract import OperationProbe
from .requests import PreparedRequest

ROWS = "(await db_session.execute(rows)).all()"


@dataclass(frozen=True)
class RequestFinding:
    """The facts of one request, from which an error is made.

    Attributes:
        probe: The operation, and whether it was asked with credentials.
        reaction: ``answered 409``.
        status: The status of the answer.
        request: The request.
        client: The name of the client's fixture.
        mark: The mark that an asynchronous test needs, or an empty text.
        placeholders: The headers that the client adds.
    """

    probe: OperationProbe
    reaction: str
    status: int
    request: PreparedRequest
    client: str
    mark: str = ""
    placeholders: tuple[str, ...] = ()

    def failed(self) -> ContractError:
        """Return the error of an answer from 500, or of an exception."""
        return self._error(
            f"{self._where()} {self.reaction}.",
            "The request reaches code that does not expect it: a constraint of the database, a value of the wrong size,"
            " a missing row.",
            "Refuse it with a status below 500, by validation or an exception handler; a status that is meant is named"
            " in api_contract(allowed=[503]).",
            ["assert response.status_code < 500"],
        )

    def changed(self, changes: Sequence[RowChange]) -> ContractError:
        """Return the error of a refused or failed request that has changed rows."""
        names = [change.table for change in changes]
        return self._error(
            f"{self._where()} {self.reaction}, but {', '.join(names)} changed.",
            "\n".join(map(str, changes))
            + "\nThe application commits before it refuses or fails: a client that sees the"
            " error sends the request again.",
            "Check first and write afterwards, or commit once, at the end; name tables that it may write (a log of"
            " attempts) in api_contract(may_write=[…]).",
            ["assert response.status_code >= 400", f"assert {ROWS} == before"],
            before=[f"rows = text({_all_of(names[0])!r})", f"before = {ROWS}"],
        )

    def left_open(self, leaks: Sequence[Leak]) -> ContractError:
        """Return the error of a request after which a transaction is open."""
        return self._error(
            f"{self._where()} {self.reaction}, and left a transaction open that has written, or locks.",
            "\n".join(f"{leak.details()}." for leak in leaks)
            + "\nProbably a session or connection that is not closed on every path.",
            "Write `async with Session() as session:`, or close it in a finally.",
            ["with crucible.checkpoint():  # an error while such a transaction is open", "    pass"],
        )

    def undescribed(self, violation: str) -> ContractError:
        """Return the error of an answer that the document does not describe."""
        statuses = [int(status) for status in self.probe.operation.statuses if status.isdigit()]
        is_known = self.status in statuses
        check = f"assert response.status_code in {set(statuses)}" if statuses and not is_known else ""
        return self._error(
            f"{self._where()} {self.reaction}, which its OpenAPI document does not describe.",
            violation,
            "Describe the answer: responses={404: {…}}, response_model; or change it.",
            [check or f"assert response.status_code == {self.status}  # and its content is not as described"],
        )

    def _where(self) -> str:
        return f"{self.probe.operation} without credentials" if self.probe.is_anonymous else str(self.probe.operation)

    def _error(self, found: str, why: str, do: str, checks: list[str], before: Sequence[str] = ()) -> ContractError:
        curl = self.request.curl(self.placeholders)
        shown = f"\n\nThe smallest request:\n\n    {curl}\n\nAs a test:\n\n{indent(self._test(checks, before), '    ')}"
        return ContractError(found, why=why, do=do + shown)

    def _test(self, checks: list[str], before: Sequence[str]) -> str:
        name = re.sub(r"\W+", "_", f"{self.probe.operation}".lower()).strip("_")
        more = "crucible, " if any("crucible." in check for check in checks) else "db_session, " if before else ""
        lines = [
            *(["from sqlalchemy import text", "", ""] if before else []),
            *([self.mark] if self.mark else []),
            f"async def test_{name}({more}{self.client}):",
            *(f"    {line}" for line in before),
            f"    response = {self.request.code(self.client)}",
            *(f"    {check}" for check in checks),
        ]
        return "\n".join(lines)


def _all_of(table: str) -> str:
    """Return the query by which a test sees a change of *table*, or of the schema."""
    if " " in table and '"' not in table:
        return "SELECT oid FROM pg_class ORDER BY oid"
    return f"SELECT * FROM {table}"  # noqa: S608 - a text
