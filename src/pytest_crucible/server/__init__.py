"""PostgreSQL servers behind one protocol: embedded, container, external.

A *lease* is a share in a server. Code that needs the server takes a lease and releases it. Other processes may use the
same server; it starts with the first lease and ends with the last, or some time after it::

    held = lease("embedded", root=Path.cwd())
    psycopg.connect(**held.admin.libpq())
    held.release()

Importing this package takes almost no time: drivers and servers are only looked up when a lease is taken.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ..errors import UsageError
from ..settings.checks import CONTAINERS, beginning
from . import url
from .address import Address

__all__ = ["Address", "Lease", "lease"]


class Lease(Protocol):
    """A share in a server."""

    @property
    def kind(self) -> str:
        """The kind of server: ``embedded``, ``container`` or ``external``."""

    @property
    def owned(self) -> bool:
        """True if Crucible owns the server: then its administrator is a superuser, and may create roles."""

    @property
    def admin(self) -> Address:
        """The administrator's address, in the maintenance database."""

    @property
    def note(self) -> str:
        """A line for pytest's header."""

    @property
    def notes(self) -> list[str]:
        """The notes for the summary of the run."""

    def room(self) -> int | None:
        """Return the number of bytes that are free where the databases are; None if that is not known."""

    def keep_image(self) -> None:
        """Have the databases outlive the server."""

    def release(self) -> None:
        """Release the share; a second call does nothing."""


def lease(spec: str, *, root: Path, cache: Path | None = None, linger: int = 0) -> Lease:
    """Take a share in the server that *spec* names.

    Args:
        spec: ``embedded``; ``container``, ``container:IMAGE`` or ``container-per-worker``; the URL of an external
            server.
        root: The project's root folder: each project and user has one embedded server, and one container of an image.
        cache: The folder for images; ``$CRUCIBLE_CACHE``, ``$XDG_CACHE_HOME/pytest-crucible`` or similar by default.
        linger: The seconds for which the server lives on after this share is released, if it was the last one.

    Raises:
        UsageError: If *spec* names no server.
        ServerError: If the server cannot be started or reached.
        PermissionMissing: If the role lacks a privilege that Crucible needs.
    """
    if url.is_url(spec):
        from . import external

        return external.lease(spec)
    if spec == "embedded":
        from .embedded import lease as embedded  # needs a POSIX system, which an external server does not

        return embedded.lease(root, cache, linger)
    if spec.partition(":")[0] in CONTAINERS:
        from .container import lease as container

        return container.lease(spec, root, cache, linger)
    raise _unknown(spec)


def where_kept(share: Lease) -> str:
    """Return, in words, the place in which the databases of *share* outlive a run."""
    if share.kind != "embedded":
        return f"on the {share.kind} server"
    from .folders import image_folder

    return f"for later runs in {image_folder(None)}"


def _unknown(spec: str) -> UsageError:
    return UsageError(
        f"crucible_server = {beginning(spec)!r} names no server.",
        why="It is not a URL either.",
        do=f'Write crucible_server = "embedded", which needs nothing installed, "container", or {url.EXAMPLE}.',
    )
