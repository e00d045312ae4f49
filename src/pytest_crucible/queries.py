"""The log of the statements that the test's and the application's engines execute.

It contains the application's own statements, so their number is the same in every isolation. Transaction control
(BEGIN, COMMIT, SAVEPOINT and the like, which rollback isolation exchanges for one another) is left out, as are
Crucible's statements (a template may be built in the middle of a test) and those of the lifespan's tasks.

The listeners are installed only while a log is recorded: they cost each statement some microseconds.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, ExceptionContext, ExecutionContext

from .errors import QueryCountError, UsageError
from .errors.counting import counted
from .errors.locations import REQUEST, UNKNOWN, CodeLocation, cause
from .redirect import Redirect

# The number of characters that are kept of a statement's parameters, and shown of its text.
PARAMETERS, SHOWN = 200, 100
TRANSACTION = r"(?i)\s*(BEGIN|START|COMMIT|END|ROLLBACK|SAVEPOINT|RELEASE|PREPARE\s+TRANSACTION)\b"


@dataclass(repr=False)
class Statement:
    """One statement.

    Attributes:
        sql: Its text, as the driver gets it.
        parameters: Its parameters, as text, cut to 200 characters.
        location: The line of the project's code that it came from, or None.
        seconds: Its duration; 0 while it runs.
        rowcount: The number of rows that it returned or changed, as the driver reports it; -1 if unknown.
        failed: Whether it raised an error.
        request: An object that all statements of one request of the asynchronous client share, or None.
    """

    sql: str
    parameters: str
    location: CodeLocation | None
    seconds: float = 0.0
    rowcount: int = -1
    failed: bool = False
    request: object = None

    @property
    def short(self) -> str:
        """The text in one line, cut to 100 characters."""
        return cut(" ".join(self.sql.split()), SHOWN)

    def __repr__(self) -> str:
        return f"<{self}>"

    def __str__(self) -> str:
        """Return, for example, ``SELECT … at app/items.py:12 in items``."""
        return f"{self.short}  at {self.location or UNKNOWN}{'  (failed)' if self.failed else ''}"


class Repeated(NamedTuple):
    """A statement that one request executed several times from one location: a query in a loop, or a lazy load.

    Attributes:
        times: The number of executions.
        sql: Its text.
        location: The line of the project's code that it came from, or None.
    """

    times: int
    sql: str
    location: CodeLocation | None

    @property
    def text(self) -> str:
        """The statement and its location, for example ``SELECT … at app/items.py:12 in items``."""
        return str(Statement(self.sql, "", self.location))

    def __str__(self) -> str:
        """Return, for example, ``5 times SELECT … at app/items.py:12 in items``."""
        return f"{self.times} times {self.text}"


class QueryLog:
    """The recorded statements, in the order in which they began."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []

    @property
    def count(self) -> int:
        """The number of statements."""
        return len(self.statements)

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Statement]:
        return iter(self.statements)

    def __getitem__(self, at: int) -> Statement:
        return self.statements[at]

    def __repr__(self) -> str:
        return f"<{counted(self.count, 'statement')}: {'; '.join(statement.short for statement in self.statements)}>"

    def __str__(self) -> str:
        """Return a line for each statement."""
        return "\n".join(map(str, self.statements))

    def clear(self) -> None:
        """Remove all statements."""
        self.statements.clear()

    def repeated(self) -> list[Repeated]:
        """Return statements that one request executed more than once from one location, the most frequent first.

        The test's own statements count as one request, and so do all requests of a ``TestClient``.
        """
        groups: dict[object, list[Statement]] = {}
        for each in self.statements:
            groups.setdefault((each.sql, each.location and str(each.location), each.request), []).append(each)
        several = [group for group in groups.values() if len(group) > 1]
        repeated = [Repeated(len(group), group[0].sql, group[0].location) for group in several]
        return sorted(repeated, key=lambda statement: -statement.times)

    @contextmanager
    def expect(self, *, max: int | None = None, exactly: int | None = None) -> Iterator[QueryLog]:  # noqa: A002
        """Check that the block executes at most *max* statements, or *exactly* that number.

        >>> with query_log.expect(max=3):
        ...     await async_client.get("/items")

        Yields:
            The statements of the block.

        Raises:
            QueryCountError: If the number is another: an AssertionError that shows the statements.
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
            raise _count_error(part, f"at most {max}" if exactly is None else f"{exactly}")


def cut(text: str, length: int) -> str:
    """Return *text*, or its beginning."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _count_error(part: QueryLog, expected: str) -> QueryCountError:
    repeated = part.repeated()
    return QueryCountError(
        "\n".join(
            [f"{counted(part.count, 'statement')} executed, {expected} expected:", *(f"  {each}" for each in part)]
        ),
        why="\n".join(["From one location:", *(f"  {each}" for each in repeated)]) if repeated else "",
        do="Load the rows of a loop at once (selectinload(), a join, one IN), or change the expected number.",
    )


class Queries:
    """The recorder of query logs."""

    def __init__(self, redirect: Redirect) -> None:
        self._redirect = redirect
        self._logs: list[QueryLog] = []
        self._listeners: list[tuple[str, Any]] = [
            ("before_cursor_execute", self._begin),
            ("after_cursor_execute", self._end),
            ("handle_error", self._fail),
        ]

    @contextmanager
    def recording(self) -> Iterator[QueryLog]:
        """Record the statements that are executed within the block."""
        log = QueryLog()
        if not self._logs:
            for name, listener in self._listeners:
                event.listen(Engine, name, listener)
        self._logs.append(log)
        try:
            yield log
        finally:
            self._logs = [other for other in self._logs if other is not log]
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
            or re.match(TRANSACTION, sql)
            or not self._redirect.is_test
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


# The attribute of SQLAlchemy's execution context that keeps a statement while it runs.
_KEY = "pytest_crucible_statement"
