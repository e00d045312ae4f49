"""The server of the settings: its databases, and the connections that it allows."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg

from ...control import Admin
from ...control import database_names as names
from ...errors import CrucibleError
from ...server import lease


@dataclass(frozen=True)
class Server:
    """The facts about the server.

    Attributes:
        note: The server in words; empty if there is none.
        connections: The number of connections that it allows for ordinary roles.
        templates: The templates there.
        kept: The databases of failed tests.
        dead: The worker databases of runs that have ended.
        failure: The error if there is no server.
    """

    note: str = ""
    connections: int = 0
    templates: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()
    failure: CrucibleError | None = None


def seen(server: str, root: Path) -> Server:
    """Lease the server that *server* names, and list its databases; an embedded one is started for it."""
    try:
        share = lease(server, root=root)
    except CrucibleError as error:
        return Server(failure=error)
    except OSError as error:
        return Server(failure=_failed(error))
    try:
        with closing(Admin(share)) as admin:
            return _seen(share.note, admin)
    except CrucibleError as error:
        return Server(failure=error)
    except psycopg.Error as error:
        return Server(failure=_failed(error))
    finally:
        share.release()


def _failed(error: Exception) -> CrucibleError:
    return CrucibleError(
        f"The server cannot be examined: {type(error).__name__}: {error}",
        why="A program cannot be run, a file cannot be read, or the role may not list the server's databases.",
        do="Run pytest for a more detailed error. `--no-server` skips the checks of the server.",
    )


def _seen(note: str, admin: Admin) -> Server:
    found: dict[str, list[str]] = {"template": [], "kept": [], "worker": []}
    for name in admin.databases(names.PREFIX):
        parsed = names.parse(name)
        if parsed and (parsed.kind != "worker" or admin.is_dead(parsed.process)):
            found[parsed.kind].append(name)
    lists = {kind: tuple(sorted(entries)) for kind, entries in found.items()}
    return Server(note, admin.connections(), lists["template"], lists["kept"], lists["worker"])
