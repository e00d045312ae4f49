"""PostgreSQL servers behind one protocol: embedded, container, external."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ..errors import UsageError
from .address import Address

__all__ = ["Address", "Lease", "lease"]


class Lease(Protocol):
    """A share in a server.

    Attributes:
        kind: ``embedded``, ``container`` or ``external``.
        owned: Whether it is a server of Crucible's own: the administrator is a superuser, and roles may be created.
        admin: Who administers it; the database is the maintenance database.
        note: One line for pytest's header.
    """

    @property
    def kind(self) -> str: ...
    @property
    def owned(self) -> bool: ...
    @property
    def admin(self) -> Address: ...
    @property
    def note(self) -> str: ...
    def keep_image(self) -> None:
        """Have what was built outlive the server."""

    def release(self) -> None:
        """Give the share back; again does nothing."""


def lease(spec: str, *, root: Path, cache: Path | None = None) -> Lease:
    """A share in the server that *spec* names."""
    if spec == "embedded":
        from . import embedded

        return embedded.lease(root, cache)
    raise UsageError(f"crucible_server = {spec!r} is not supported yet.")
