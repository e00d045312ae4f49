"""PostgreSQL servers behind one protocol: embedded, container, external.

A *lease* is a share in a server. Whoever needs the database takes one and gives it back; who else uses the same server,
and when it starts and ends, is not theirs to know::

    held = lease("embedded", root=Path.cwd())
    psycopg.connect(**held.admin.libpq())
    held.release()

Importing this package costs next to nothing: drivers and servers are only looked for when a lease is taken.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ..errors import UsageError
from ..settings.values import CONTAINERS, beginning
from . import url
from .address import Address

__all__ = ["Address", "Lease", "lease", "missing_extension"]


class Lease(Protocol):
    """A share in a server."""

    @property
    def kind(self) -> str:
        """``embedded``, ``container`` or ``external``."""

    @property
    def owned(self) -> bool:
        """Whether it is a server of Crucible's own: its administrator is a superuser, and may create roles."""

    @property
    def admin(self) -> Address:
        """Who administers it; the database is the maintenance database."""

    @property
    def note(self) -> str:
        """One line for pytest's header."""

    @property
    def notes(self) -> list[str]:
        """What the summary of the run should say."""

    def keep_image(self) -> None:
        """Have what was built on it outlive it."""

    def log(self) -> str:
        """The server's last words, also after it died; nothing where they cannot be read."""

    def release(self) -> None:
        """Give the share back; again does nothing."""


def lease(spec: str, *, root: Path, cache: Path | None = None) -> Lease:
    """Take a share in the server that *spec* names.

    Args:
        spec: ``embedded``; ``container``, ``container:IMAGE`` or ``container-per-worker``; the URL of an external
            server.
        root: The project's root folder: one embedded server, and one container of an image, for each project and
            user.
        cache: Where images are kept; ``$CRUCIBLE_CACHE``, ``$XDG_CACHE_HOME/pytest-crucible`` or the like by default.

    Raises:
        UsageError: *spec* names no server.
        ServerError: The server could not be started or reached.
        PermissionMissing: The role may not do there what Crucible needs.
    """
    if url.is_url(spec):
        from . import external

        return external.lease(spec)
    if spec == "embedded":
        from .embedded import lease as embedded  # needs a POSIX system, which an external server does not

        return embedded.lease(root, cache)
    if spec.partition(":")[0] in CONTAINERS:
        from .container import lease as container

        return container.lease(spec, root, cache)
    raise _unknown(spec)


def where_kept(share: Lease) -> str:
    """Return, in words, where the databases of *share* outlive a run."""
    if share.kind != "embedded":
        return f"on the {share.kind} server"
    from .folders import image_folder

    return f"for later runs in {image_folder(None)}"


def _unknown(spec: str) -> UsageError:
    return UsageError(
        f"crucible_server = {beginning(spec)!r} names no server.",
        why="It is no URL either.",
        do=f'Write crucible_server = "embedded", which needs nothing installed, "container", or {url.EXAMPLE}.',
    )


def __getattr__(name: str) -> object:
    if name == "missing_extension":
        from .embedded.missing import missing_extension

        return missing_extension
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
