"""Every error that Crucible raises, in one tree below `CrucibleError`, and its warnings.

A message is a short paragraph in three parts: what was found, the probable cause, and what to write instead.
"""

from __future__ import annotations


class CrucibleError(Exception):
    """An error with three parts: what was found, why, and what to do.

    Args:
        found: What was found, in one sentence.
        why: The probable cause.
        do: What to write or run instead.
    """

    def __init__(self, found: str, *, why: str = "", do: str = "") -> None:
        self.found = found
        self.why = why
        self.do = do
        super().__init__("\n".join(part for part in (found, why, do) if part))


class UsageError(CrucibleError):
    """A setting or a call is wrong."""


class ServerError(CrucibleError):
    """No server is available, or it stopped during the run."""


class PermissionMissing(CrucibleError):
    """The role on the server lacks a privilege that Crucible needs."""


class TemplateError(CrucibleError):
    """The template could not be built or cloned."""


class MigrationError(CrucibleError):
    """A migration failed, or does not meet what a check requires."""

    revision: str | None = None  # the one that failed, where it is known


class RedirectError(CrucibleError):
    """An engine bypasses its dialect, or a test may not use a database."""


class ResetError(CrucibleError):
    """The worker database could not be reset to its baseline."""


class ApplicationError(CrucibleError):
    """The application breaks the ASGI protocol, or does not start again."""


class BlockedError(CrucibleError):
    """A test waits for a row that it locks itself."""


class IsolationError(CrucibleError):
    """Rollback isolation cannot provide what this test relies on."""


class RefusalError(CrucibleError):
    """A route accepts a request that it must refuse, or writes before it refuses."""


class QueryCountError(CrucibleError, AssertionError):
    """A block executed more statements than allowed, or fewer than required."""


class RaceError(CrucibleError, AssertionError):
    """Actors of a race fail in one order of their statements."""


class ContractError(CrucibleError, AssertionError):
    """An operation of the application fails for one of the requests that its document describes."""


class LeakWarning(UserWarning):
    """A test left a transaction or an advisory lock open; Crucible has ended it.

    ``filterwarnings = ["error::pytest_crucible.LeakWarning"]`` makes it an error of that test.
    """


class OtherDialectWarning(UserWarning):
    """An engine of the project does not speak PostgreSQL: what it writes stays from test to test."""


class PendingTaskWarning(UserWarning):
    """A test left an asyncio task behind that is still pending."""
