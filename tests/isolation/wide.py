"""Seats that outlive their programs: a wide fixture's session, its thread, and children of the test process."""

from __future__ import annotations

import os
import queue
import threading
from concurrent.futures import Future

from seats import PATIENCE, Orm, Result
from sqlalchemy import create_engine
from sqlalchemy.exc import PendingRollbackError

from pytest_crucible.redirect import Redirect

# The last is that of a flush that has failed before; an ended backend has another code.
ALIVE = (("rows", ["(1,)"]), ("error", "25P02"), ("error", "InFailedSqlTransaction"), ("error", "7s2a"))


class Wide(Orm):
    """A session of a wide fixture: a program uses it and ends nothing; the next one goes on with it."""

    def __init__(self, url: str = "postgresql+psycopg://app@nowhere.invalid/app") -> None:
        super().__init__(PATIENCE, url)

    def _run(self, statement: str) -> Result:
        try:
            return super()._run(statement)
        except PendingRollbackError as error:
            return ("error", error.code)

    def end(self) -> None:
        """Do nothing: the session belongs to the fixture."""

    settle = end

    def trouble(self) -> Result | None:
        """Return why the session does not go on working; a thread may be inside a transaction that has failed."""
        result = self.execute("SELECT 1")
        return None if result in ALIVE else result

    def close(self) -> None:
        self.session.close()
        self.engine.dispose()


class WideThread(Wide):
    """The same in a thread that the fixture has started."""

    def __init__(self, redirect: Redirect) -> None:
        super().__init__("postgresql+psycopg2://app@nowhere.invalid/app")
        self._asked: queue.Queue[tuple[str, Future[Result]] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work, name="wide")
        with redirect.owned_by("wide"):
            self._thread.start()

    def _work(self) -> None:
        while (asked := self._asked.get()) is not None:
            statement, answer = asked
            answer.set_result(super().execute(statement))

    def execute(self, statement: str) -> Result:
        answer: Future[Result] = Future()
        self._asked.put((statement, answer))
        return answer.result(30)

    def close(self) -> None:
        self._asked.put(None)
        self._thread.join()
        super().close()


class Child:
    """A child of the test process for each statement: it writes by the engine that it has inherited, and is gone."""

    def __init__(self) -> None:
        options = " ".join(f"-c {name}={value}" for name, value in PATIENCE.items())
        self._engine = create_engine("postgresql+psycopg2://app@nowhere.invalid/app", connect_args={"options": options})

    def execute(self, statement: str) -> Result:
        pid = os.fork()
        if not pid:
            self._write(statement)
        _, status = os.waitpid(pid, 0)
        return ("count", os.waitstatus_to_exitcode(status))

    def _write(self, statement: str) -> None:
        code = 1
        try:
            with self._engine.begin() as connection:
                connection.exec_driver_sql(statement.replace("%", "%%"))
            code = 0
        finally:
            os._exit(code)

    def end(self) -> None:
        """Do nothing: the child is gone."""

    settle = end

    def trouble(self) -> None:
        """Return None: the next statement gets a child of its own."""

    def close(self) -> None:
        self._engine.dispose()
