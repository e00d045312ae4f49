"""Checkpoints: blocks of a test at whose end the database is reset to its state at their beginning.

The commits of the test before a checkpoint become a layer, as those of wide fixtures do, and so a part of the baseline.
The end of the block is then a reset. A layer stays until the block around it ends, or the test: so a test with many
checkpoints one after another adds to one layer, and takes it off once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING

from ..control.driver import psycopg
from ..errors import UsageError
from ..sessions.contents import Contents
from ..worker.database import Database
from ..worker.worker import Worker
from .isolation import Isolation
from .leaks import Leak, report
from .resets import IsolatedTest

if TYPE_CHECKING:
    from sqlalchemy.orm import Session
    from typing_extensions import Self

    from .session_provider import SessionProvider

REASON = "DDL in or after a checkpoint"


@dataclass
class CheckpointLayer:
    """The commits of a test before the checkpoints of one depth.

    Attributes:
        number: The number of the layer.
        databases: The databases on which it lies.
    """

    number: int
    databases: set[Database] = field(default_factory=set)


class Checkpoint:
    """A block at whose end everything is put back that was committed in it.

    >>> with crucible.checkpoint() as checkpoint:
    ...     for order in orders:
    ...         attempt(order)
    ...         checkpoint.reset()

    Args:
        checkpoints: The checkpoints of this process.
        test: The test.
        sessions: Sessions that are rolled back besides those of Crucible's fixtures.
    """

    def __init__(self, checkpoints: Checkpoints, test: IsolatedTest, sessions: Collection[Session] = ()) -> None:
        self._checkpoints = checkpoints
        self._test = test
        self._sessions = sessions
        self._contents: list[Contents] = []

    def __enter__(self) -> Self:
        """Make the present state of the databases the one to which `reset` returns.

        Raises:
            UsageError: If a transaction is open that has written, or locks.
        """
        self._contents = self._checkpoints.begin(self, self._test, self._sessions)
        return self

    def reset(self) -> None:
        """Put back what was committed since the block began, and stay in it.

        Raises:
            ResetError: If a database could not be reset.
            UsageError: If a transaction was open that had written, or locked; it has been rolled back.
        """
        if leaks := self.put_back():
            raise _open("reset", leaks)

    def put_back(self) -> list[Leak]:
        """Do what `reset` does, and return the transactions that were open, which have been rolled back."""
        return self._checkpoints.reset(self, self._contents)

    def put_back_later(self) -> list[Leak]:
        """Do what `put_back` does, where nothing of the test goes on until `finish`.

        The server may still be resetting when this returns. Connections with an altered session state are given up.
        """
        leaks = self._checkpoints.reset(self, self._contents, later=True)
        self._checkpoints.retire_connections()
        return leaks

    def finish(self) -> list[Leak]:
        """Wait until the server has done what `put_back_later` began; return what was open against expectation."""
        return self._checkpoints.finish()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Put back what was committed in the block; an error of the block goes before one of its end."""
        leaks = self._checkpoints.end(self, self._contents)
        if leaks and error is None:
            raise _open("end", leaks)


class Rounds:
    """Rounds of one body of code, such as the examples of Hypothesis, each of which starts from the same state.

    Args:
        checkpoint: The checkpoint to which each round returns.
        restore: Restores the state besides the database.
    """

    def __init__(self, checkpoint: Checkpoint, restore: Callable[[], None]) -> None:
        self._checkpoint = checkpoint
        self._restore = restore
        self._is_clean, self._has_warned = True, False
        self._leaks: list[Leak] = []

    def begin(self) -> None:
        """Reset the database, unless the last round has ended or there was none, and restore the rest."""
        self._leaks = [] if self._is_clean else self._checkpoint.put_back_later()
        self._leaks += self._checkpoint.finish()
        self._restore()
        self._is_clean = False

    def end(self) -> None:
        """Have the server reset while the next round is prepared."""
        self._leaks += self._checkpoint.put_back_later()
        self._is_clean = True

    def report(self) -> None:
        """Warn of what the round has left open, once: of each it would be the same."""
        if self._leaks and not self._has_warned:
            report(self._leaks, "")
            self._has_warned = True


class Checkpoints:
    """The checkpoints of the tests of one process; without pytest, inside `Run.isolated`.

    Args:
        worker: The worker databases.
        isolation: The isolation of the tests.
        sessions: The sessions of the test, which make way.
    """

    def __init__(self, worker: Worker, isolation: Isolation, sessions: SessionProvider) -> None:
        self._worker = worker
        self._isolation = isolation
        self._sessions = sessions
        self._open: list[Checkpoint] = []
        self._test: IsolatedTest | None = None
        self._is_sent = False
        # By depth: the layer of the test, that of the outermost block, …
        self._layers: list[CheckpointLayer] = []

    def begin(self, checkpoint: Checkpoint, test: IsolatedTest, sessions: Collection[Session] = ()) -> list[Contents]:
        """Begin *checkpoint*; return what the sessions of the test hold, and *sessions*."""
        self.finish()
        contents = [Contents(session) for session in dict.fromkeys([*self._sessions.open, *sessions])]
        self._refuse(test, contents)
        databases = self._touched()
        if leaks := self._isolation.resets.open_in(databases, test):
            raise _open("begin", leaks)
        self._end_sessions(contents)
        depth = len(self._open)
        if depth == len(self._layers):
            self._layers.append(CheckpointLayer(self._isolation.layers.new_number()))
        layer = self._layers[depth]
        layer.databases.update(databases)  # before it is taken: a time-out may come
        with self._isolation.users.resumed():
            self._isolation.layers.capture_of_test(layer.number, databases)
        self._open.append(checkpoint)
        self._test = test
        return contents

    def reset(self, checkpoint: Checkpoint, contents: Collection[Contents], *, later: bool = False) -> list[Leak]:
        """Reset the databases to the begin of *checkpoint*, the innermost one; return what was left open.

        With *later*, checkpoints inside it end, and `finish` waits for the reset, unless something may be left open.
        """
        self.finish()
        if later and checkpoint in self._open:
            del self._open[self._open.index(checkpoint) + 1 :]
        if not self._open or self._open[-1] is not checkpoint or self._test is None:
            raise UsageError(
                "A checkpoint was reset that is not the innermost open one.",
                why="It has ended, or a checkpoint that began in its block has not.",
                do="Call reset() inside its own `with` block, and outside every other one.",
            )
        self._end_sessions(contents)
        self._take_off(self._layers[len(self._open) :])
        self._is_sent = True
        if self._isolation.send_within(self._test, self._touched()) and later:
            return []
        return self.finish(late=False)

    def finish(self, *, late: bool = True) -> list[Leak]:
        """Wait for the reset that was sent last; return what was left open."""
        if not self._is_sent or self._test is None:
            return []
        self._is_sent = False
        return self._isolation.finish_within(self._test, late=late)

    def end(self, checkpoint: Checkpoint, contents: Collection[Contents]) -> list[Leak]:
        """Reset the databases to the begin of *checkpoint*, and end it with all inside it."""
        if checkpoint not in self._open:  # the test has ended before it
            return []
        del self._open[self._open.index(checkpoint) + 1 :]
        try:
            return self.reset(checkpoint, contents)
        finally:
            self._open.remove(checkpoint)

    def end_test(self, test: IsolatedTest) -> None:
        """Take the layers of *test* off, so that its own reset finds all of its changes."""
        test.leaks += self.finish()
        self._open.clear()
        self._isolation.layers.of_test.clear()
        if not any(layer.databases for layer in self._layers):
            return
        if test.isolation == "clone" or test.is_kept():
            for layer in self._layers:
                for database in layer.databases:
                    database.forget(layer.number)
            self._layers.clear()
        else:
            test.leaks += self._isolation.resets.end_leaks(test)
            self._take_off(self._layers)

    def _take_off(self, layers: list[CheckpointLayer]) -> None:
        """Take *layers* off, the innermost first."""
        for layer in reversed(layers):
            for database in layer.databases:
                try:
                    database.take_off(layer.number, REASON)
                except psycopg.Error:  # it is lost, or a lock is in the way
                    database.forget(layer.number)
                    database.discard()
            self._layers.remove(layer)

    def _touched(self) -> list[Database]:
        """Return the databases that the test may have changed, which stay noted until its end."""
        return self._isolation.children.touched(forget=False)

    def _end_sessions(self, contents: Collection[Contents]) -> None:
        """Roll back the sessions of the test, and restore their *contents*; their next use begins anew."""
        sessions = dict.fromkeys([*self._sessions.open, *(each.session for each in contents)])
        pids = [pid for session in sessions for pid in self._worker.redirect.holders.end(session)]
        for each in contents:
            each.restore()
        if pids:
            for database in self._worker.databases:
                database.connect().terminate(pids)

    def retire_connections(self) -> None:
        """Give connections up whose session state was altered, as after a test."""
        self._worker.redirect.after_test()

    def _refuse(self, test: IsolatedTest, contents: Collection[Contents]) -> None:
        if test.isolation == "rollback":
            raise UsageError(
                "crucible.checkpoint() needs reset or clone isolation; this test has rollback isolation.",
                why="There is nothing committed that a reset could put back, and the connection of an asynchronous"
                " session cannot be rolled back to a savepoint by a synchronous call.",
                do='Mark the test with @pytest.mark.crucible(isolation="reset").',
            )
        if self._worker.parent is not None:
            raise UsageError(
                "crucible.checkpoint() was called in a forked child of the test process.",
                why="The parent has the databases, and resets them.",
                do="Call it in the process that runs pytest.",
            )
        unflushed = [name for each in contents for name in each.unflushed()]
        if unflushed:
            raise UsageError(
                f"A checkpoint cannot begin while a session of the test has objects to write: {', '.join(unflushed)}.",
                why="They would be written in the block, and be lost at its end.",
                do="Commit before the block: await db_session.commit()",
            )


def _open(end: str, leaks: Collection[Leak]) -> UsageError:
    verb = {"begin": "begin", "reset": "be reset", "end": "end"}[end]
    return UsageError(
        f"A checkpoint cannot {verb} while a transaction is open that has written, or locks.",
        why="\n".join(f"{leak.details()}." for leak in leaks),
        do="Commit or roll back before that." + (" Crucible has rolled it back." if end != "begin" else ""),
    )
