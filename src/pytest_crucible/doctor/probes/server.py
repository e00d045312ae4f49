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
    """What was seen on the server.

    Attributes:
        note: What it is, in words; empty where there is none.
        connections: How many connections it lets ordinary roles have.
        templates: The templates there.
        kept: The databases of failed tests.
        dead: The worker databases of runs that are no more.
        failure: Why there is no server.
    """

    note: str = ""
    connections: int = 0
    templates: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()
    failure: CrucibleError | None = None


def seen(server: str, root: Path) -> Server:
    """Take a share in the server that *server* names, and look around; an embedded one is started for it."""
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
        f"The server cannot be looked at: {type(error).__name__}: {error}",
        why="A program cannot be run, a file cannot be read, or the role may not see what lies on the server.",
        do="Run pytest: it says more. `--no-server` leaves the server alone.",
    )


def _seen(note: str, admin: Admin) -> Server:
    found: dict[str, list[str]] = {"template": [], "kept": [], "worker": []}
    for name in admin.databases(names.PREFIX):
        parsed = names.parse(name)
        if parsed and (parsed.kind != "worker" or admin.is_dead(parsed.process)):
            found[parsed.kind].append(name)
    lists = {kind: tuple(sorted(entries)) for kind, entries in found.items()}
    return Server(note, admin.connections(), lists["template"], lists["kept"], lists["worker"])
