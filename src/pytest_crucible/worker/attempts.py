"""The attempts to make a worker database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..control import templates
from ..errors import CrucibleError, ServerError, UsageError


class Attempts:
    """The attempts to make one worker database, and the error for which it could not be made, or was lost."""

    def __init__(self, database: str, notes: list[str]) -> None:
        self.error: Exception | None = None
        self.made = False
        self._database = database
        self._notes = notes
        self._is_told = False  # a test's report has the error already
        self._is_last = False

    @contextmanager
    def one(self) -> Iterator[None]:
        """Remember an error that ends the making of the database: every later test would fail alike, after a wait.

        Raises:
            CrucibleError: At once, where it has failed before.
        """
        if self.error is not None:
            # Without the frames of the tests before, which would grow with each.
            raise self.refusal().with_traceback(None)
        try:
            yield
        except Exception as error:
            self.error = error
            raise
        except BaseException as error:
            if not self.made:  # a build may take longer than each time-out; a fresh clone is made at the next use
                self.error = templates.cut_off(error, last=self._is_last)
            raise
        self.made = True

    def refusal(self) -> Exception:
        """Return the error for a test that asks for the database: in short, once a report has the whole."""
        if self._is_told and isinstance(self.error, CrucibleError):
            return type(self.error)(f"No database, as the first error of this run says: {self.error.found}")
        return self.error or ServerError(f"The worker database {self._database} is not there.")

    @property
    def cut_off(self) -> bool:
        """True if a time-out ended the last attempt, and another one follows."""
        return isinstance(self.error, templates.CutOffError) and not self._is_last

    def try_again(self) -> None:
        """Forget the failure of a build that a time-out ended, the first time."""
        if self.cut_off:
            self.error = None
            self._is_last = True

    def lost(self, error: Exception) -> ServerError:
        """Return the error for every later use of a database that *error* shows to be lost."""
        lost = self.error = ServerError(
            f"The worker database {self._database} was lost: {str(error).strip()}",
            why="The server died or was stopped, or something dropped the database while the tests ran.",
            do="Run the tests again. If it happens again, look at the server's log and for tests that end backends.",
        )
        return lost

    def reported(self, error: BaseException) -> UsageError | None:
        """Note that a test's report has *error*, so that the next tests get it in short; returns a wrong setting."""
        if error is not self.error or self.made:
            return None
        if isinstance(error, UsageError):
            return error
        if isinstance(error, CrucibleError) and not self._is_told:
            self._notes.append(f"no test could have the database: {error.found}")
        self._is_told = True
        return None
