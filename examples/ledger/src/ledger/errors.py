"""What a caller may have done wrong, each with the status that answers it."""

from __future__ import annotations

from typing import ClassVar


class LedgerError(Exception):
    """A request that cannot be carried out."""

    status: ClassVar[int] = 400


class NotAuthenticated(LedgerError):
    """The token or the password does not name a user."""

    status = 401


class NotFound(LedgerError):
    """There is no such thing, or it belongs to somebody else."""

    status = 404


class Conflict(LedgerError):
    """The request contradicts what is stored."""

    status = 409


class InsufficientFunds(Conflict):
    """The account does not hold as much as it should give."""


class NotPossible(LedgerError):
    """The request can never be carried out as it is."""

    status = 422
