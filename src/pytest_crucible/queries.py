"""The statements that a test's engines and the application's execute, while somebody wants to know.

Counted is what the application sends for itself, and so the same number in every isolation: not the control of
transactions (BEGIN, COMMIT, SAVEPOINT and their kin, which rollback isolation exchanges for one another), not what
Crucible executes (a template may be built in the middle of a test), and not what the tasks of the application's
lifespan do meanwhile.

The listeners are there only as long as a log is: they cost each statement some microseconds.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, ExceptionContext, ExecutionContext

from .errors import QueryCountError, UsageError
from .errors.locations import REQUEST, CodeLocation, cause

# How much of a statement's parameters is kept, and how much of its text is shown.
PARAMETERS, SHOWN = 200, 100
TRANSACTION = re.compile(
    r"\s*(BEGIN|START|COMMIT|END|ROLLBACK|SAVEPOINT|RELEASE|PREPARE\s+TRANSACTION)\b", re.IGNORECASE
)


@dataclass(repr=False)
class Statement:
    """One statement.

    Attributes:
        sql: Its text, as the driver gets it.
        parameters: The values it was executed with, as text, cut to 200 characters.
        place: The line of the project's code that it came from, or None.
        seconds: How long it took; 0 while it runs.
        rowcount: How many rows it returned or changed, as the driver says; -1 where that is unknown.
        failed: Whether it raised an error.
        request: Something that is the same for all statements of one request of the asynchronous client, or None.
    """

    sql: str
    parameters: str
    place: CodeLocation | None
    seconds: float = 0.0
    rowcount: int = -1
    failed: bool = False
    request: object = None

    @property
    def short(self) -> str:
        """Its text in one line, cut to 100 characters."""
        return cut(" ".join(self.sql.split()), SHOWN)

    def __repr__(self) -> str:
        return f"<{self}>"

    def __str__(self) -> str:
        """For example ``SELECT … at app/items.py:12 in items``."""
        return f"{self.short}  at {self.place or 'an unknown place'}{'  (failed)' if self.failed else ''}"


@dataclass(frozen=True)
class Repeated:
    """A statement that one request executed several times from one place: a query in a loop, or a lazy load.

    Attributes:
        times: How often.
        sql: Its text.
        place: The line of the project's code that it came from, or None.
    """

    times: int
    sql: str
    place: CodeLocation | None

    @property
    def text(self) -> str:
        """For example ``SELECT … at app/items.py:12 in items``."""
        return str(Statement(self.sql, "", self.place))

    def __str__(self) -> str:
        """For example ``5 times SELECT … at app/items.py:12 in items``."""
        return f"{self.times} times {self.text}"


class QueryLog:
    """Statements, in the order in which they began."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.statements)

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Statement]:
        return iter(self.statements)

    def __getitem__(self, at: int) -> Statement:
        return self.statements[at]

    def __repr__(self) -> str:
        return f"<{_so_many(self.count)}: {'; '.join(one.short for one in self.statements)}>"

    def __str__(self) -> str:
        """A line for each statement."""
        return "\n".join(map(str, self.statements))

    def clear(self) -> None:
        """Begin anew."""
        self.statements.clear()

    def repeated(self) -> list[Repeated]:
        """What was executed more than once from one place in one request, the most frequent first.

        What a test itself executes counts as one request, and so do all of a ``TestClient``.
        """
        groups: dict[object, list[Statement]] = {}
        for one in self.statements:
            groups.setdefault((one.sql, one.place and str(one.place), one.request), []).append(one)
        found = [Repeated(len(group), group[0].sql, group[0].place) for group in groups.values() if len(group) > 1]
        return sorted(found, key=lambda repeated: -repeated.times)

    @contextmanager
    def expect(self, *, max: int | None = None, exactly: int | None = None) -> Iterator[QueryLog]:  # noqa: A002
        """Within the block, at most *max* statements are executed, or *exactly* so many.

        >>> with query_log.expect(max=3):
        ...     await async_client.get("/items")

        Yields:
            The statements of the block.

        Raises:
            QueryCountError: If there were others: an AssertionError that shows them.
            UsageError: If neither is given, or both.
        """
        if (max is None) == (exactly is None):
            raise UsageError(
                "query_log.expect() takes one of max= and exactly=.", do="Write query_log.expect(max=3), for example."
            )
        begun, part = self.count, QueryLog()
        try:
            yield part
        finally:
            part.statements = self.statements[begun:]
        fits = part.count == exactly if max is None else part.count <= max
        if not fits:
            raise _others(part, f"at most {max}" if exactly is None else f"{exactly}")


def cut(text: str, length: int) -> str:
    """*text*, or its beginning."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _so_many(number: int) -> str:
    return f"{number} statement{'' if number == 1 else 's'}"


def _others(part: QueryLog, expected: str) -> QueryCountError:
    repeated = part.repeated()
    return QueryCountError(
        "\n".join([f"{_so_many(part.count)} executed, {expected} expected:", *(f"  {one}" for one in part)]),
        why="\n".join(["From one place:", *(f"  {one}" for one in repeated)]) if repeated else "",
        do="Load what a loop asks for at once (selectinload(), a join, one IN), or write the number that it takes.",
    )


class Queries:
    """Writes logs.

    Args:
        is_test: Whether what runs now is a test or one of its requests.
    """

    def __init__(self, is_test: Callable[[], bool]) -> None:
        self._is_test = is_test
        self._logs: list[QueryLog] = []
        self._listeners: list[tuple[str, Any]] = [
            ("before_cursor_execute", self._begin),
            ("after_cursor_execute", self._end),
            ("handle_error", self._fail),
        ]

    @contextmanager
    def recording(self) -> Iterator[QueryLog]:
        """What is executed within the block."""
        log = QueryLog()
        if not self._logs:
            for name, listener in self._listeners:
                event.listen(Engine, name, listener)
        self._logs.append(log)
        try:
            yield log
        finally:
            self._logs = [one for one in self._logs if one is not log]
            if not self._logs:
                for name, listener in self._listeners:
                    event.remove(Engine, name, listener)

    def _begin(
        self, connection: Connection, _: Any, sql: str, parameters: Any, context: ExecutionContext | None, many: bool
    ) -> None:
        options = connection.get_execution_options() if context is None else context.execution_options
        if (
            connection.dialect.name != "postgresql"
            or options.get("crucible_own")
            or TRANSACTION.match(sql)
            or not self._is_test()
        ):
            return
        statement = Statement(sql, cut(repr(parameters), PARAMETERS), cause(), request=REQUEST.get())
        if context is not None:
            setattr(context, _KEY, (statement, time.perf_counter()))
        for log in self._logs:
            log.statements.append(statement)

    def _end(self, _: Connection, cursor: Any, __: str, ___: Any, context: ExecutionContext | None, many: bool) -> None:
        statement, began = getattr(context, _KEY, (None, 0.0))
        if statement is not None:
            statement.seconds = time.perf_counter() - began
            statement.rowcount = cursor.rowcount

    def _fail(self, failure: ExceptionContext) -> None:
        statement, began = getattr(failure.execution_context, _KEY, (None, 0.0))
        if statement is not None:
            statement.seconds = time.perf_counter() - began
            statement.failed = True


# Where a statement is kept while it runs: SQLAlchemy's context lives as long.
_KEY = "pytest_crucible_statement"
