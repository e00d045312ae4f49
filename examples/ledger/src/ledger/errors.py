"""The errors of a caller, each with the status that answers it."""

from __future__ import annotations

from typing import ClassVar


class LedgerError(Exception):
    """A request that cannot be carried out."""

    status: ClassVar[int] = 400


class NotAuthenticated(LedgerError):
    """A token or a password that does not name a user."""

    status = 401


class NotFound(LedgerError):
    """An object that does not exist, or belongs to another user."""

    status = 404


class Conflict(LedgerError):
    """A request that contradicts the stored data."""

    status = 409


class InsufficientFunds(Conflict):
    """A transfer of more money than the account holds."""


class NotPossible(LedgerError):
    """A request that can never be carried out as it is."""

    status = 422
