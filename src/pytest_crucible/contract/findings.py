"""The fault that a request has shown: an error with the request as a curl line, and as a test to paste."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import indent

from ..control.row_changes import RowChange
from ..errors import ContractError
from ..errors.counting import counted
from ..isolation.leaks import Leak
from ..queries import Repeated
from .contract import OperationProbe
from .requests import SentRequest

ROWS = "(await db_session.execute(rows)).all()"


@dataclass(frozen=True)
class RowStorer:
    """The project's function that stores more rows.

    Attributes:
        name: Its name.
        module: The module that defines it.
        fixtures: The fixtures that it takes.
        is_async: Whether it is awaited.
    """

    name: str
    module: str
    fixtures: tuple[str, ...]
    is_async: bool

    @property
    def call(self) -> str:
        """The call in a test."""
        return f"{'await ' * self.is_async}{self.name}({', '.join(self.fixtures)})"


@dataclass(frozen=True)
class Growing:
    """The statements of one request in two states of the database.

    Attributes:
        counts: The number of statements in each.
        rows: The number of rows that they return in each.
        repeated: The statements that are repeated more often, with their number in the first state.
    """

    counts: tuple[int, int]
    rows: tuple[int, int]
    repeated: tuple[tuple[Repeated, int], ...]

    @property
    def most(self) -> int:
        """The number of statements in the second state if no statement grew."""
        return self.counts[1] - sum(statement.times - max(times, 1) for statement, times in self.repeated)


@dataclass(frozen=True)
class RequestFinding:
    """The facts of one request, from which an error is made.

    Attributes:
        probe: The operation, and whether it was asked with credentials.
        reaction: ``answered 409``.
        sent: The request, with the status of its answer.
        client: The name of the client's fixture.
        mark: The mark that an asynchronous test needs, or an empty text.
        placeholders: The headers that the client adds.
        storer: The project's function that has stored more rows before the request, if one has.
    """

    probe: OperationProbe
    reaction: str
    sent: SentRequest
    client: str
    mark: str = ""
    placeholders: tuple[str, ...] = ()
    storer: RowStorer | None = None

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
        is_known = self.sent.status in statuses
        check = f"assert response.status_code in {set(statuses)}" if statuses and not is_known else ""
        return self._error(
            f"{self._where()} {self.reaction}, which its OpenAPI document does not describe.",
            violation,
            "Describe the answer: responses={404: {…}}, response_model; or change it.",
            [check or f"assert response.status_code == {self.sent.status}  # and its content is not as described"],
        )

    def grows(self, growing: Growing) -> ContractError:
        """Return the error of an operation whose statements grow with the rows."""
        assert self.storer is not None  # noqa: S101 - only with one are there two states
        states = [
            f"{counted(count, 'statement')} for {counted(rows, 'row')}"
            for count, rows in zip(growing.counts, growing.rows, strict=True)
        ]
        return self._error(
            f"{self.probe.operation} executes {states[0]}, and {states[1]} after {self.storer.name}().",
            "\n".join(f"{statement}, instead of {times}" for statement, times in growing.repeated),
            "Load the rows of a loop at once (selectinload(), a join, one IN); an operation that may grow is named in"
            " api_contract(exclude=[…]).",
            [],
            most=growing.most,
        )

    def _where(self) -> str:
        without = " without credentials" if self.probe.is_anonymous else ""
        after = f" after {self.storer.name}()" if self.storer else ""
        return f"{self.probe.operation}{without}{after}"

    def _error(
        self, found: str, why: str, do: str, checks: list[str], before: Sequence[str] = (), most: int | None = None
    ) -> ContractError:
        test = self._test(checks, before, most)
        request = f"sequence of {len(self.sent.chain.earlier) + 1} requests" if self.sent.chain.earlier else "request"
        shown = f"\n\nThe smallest {request}:\n\n{indent(self._curl(), '    ')}\n\nAs a test:\n\n{indent(test, '    ')}"
        return ContractError(found, why=why, do=do + shown)

    def _curl(self) -> str:
        earlier = [
            f"{sent.request.curl(self.placeholders)}  # answers {sent.status}" for sent in self.sent.chain.earlier
        ]
        return "\n".join([*earlier, self.sent.request.curl(self.placeholders)])

    def _test(self, checks: list[str], before: Sequence[str], most: int | None) -> str:
        """Return a test that fails likewise.

        Args:
            checks: The lines after the request.
            before: The lines that read rows before the request.
            most: The number of statements that the request may execute, if they are counted.
        """
        *earlier, call = [sent.code(self.client) for sent in (*self.sent.chain.earlier, self.sent)]
        body = [
            *(_assigned(number, code, [*earlier, call]) for number, code in enumerate(earlier, 1)),
            *([self.storer.call] if self.storer else []),
            *before,
            *([f"response = {call}"] if most is None else [f"with query_log.expect(max={most}):", f"    {call}"]),
            *checks,
        ]
        imports = [
            *(["from sqlalchemy import text"] if before else []),
            *([f"from {self.storer.module} import {self.storer.name}"] if self.storer else []),
        ]
        name = re.sub(r"\W+", "_", f"{self.probe.operation}".lower()).strip("_")
        lines = [
            *([*imports, "", ""] if imports else []),
            *([self.mark] if self.mark else []),
            f"async def test_{name}({', '.join(self._fixtures(body))}):",
            *(f"    {line}" for line in body),
        ]
        return "\n".join(lines)

    def _fixtures(self, body: Sequence[str]) -> list[str]:
        """Return the fixtures of a test with *body*, each once."""
        named = [name for name in ("crucible", "db_session", "query_log") if any(f"{name}." in line for line in body)]
        return list(dict.fromkeys([*named, *(self.storer.fixtures if self.storer else ()), self.client]))


def _assigned(number: int, code: str, others: Sequence[str]) -> str:
    """Return the call *code*, whose answer has a name if *others* use it."""
    name = f"response_{number}"
    return f"{name} = {code}" if any(f"{name}." in other for other in others) else code


def _all_of(table: str) -> str:
    """Return the query by which a test sees a change of *table*, or of the schema."""
    if " " in table and '"' not in table:
        return "SELECT oid FROM pg_class ORDER BY oid"
    return f"SELECT * FROM {table}"  # noqa: S608 - a text
