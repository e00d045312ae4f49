"""The supervisor: a separate process that owns one PostgreSQL server.

It makes the nest, starts ``postgres`` in it, reports that, and then blocks on the users' lock. Every user of the server
holds that lock shared, and the kernel releases it when a user's process ends, in whatever way. So when the supervisor
gets the lock exclusively, no process uses the server any more. A user that leaves may have written into the lock's file
for how many seconds the server is to live on (``crucible_linger``).

============================  ======================================================================================
killed process                consequence
============================  ======================================================================================
the last users                the supervisor gets the users' lock, ends the server, removes the nest
postgres                      the supervisor sees its child die, ends what it left behind, removes the nest
the supervisor                the kernel ends postgres (Linux); a user sweeps the nest when it leaves, or the next
                              start does, which on macOS also ends postgres
the client that starts it     the supervisor holds the start lock as well, and goes on until it finds no users
============================  ======================================================================================

A client waits for its start, so it imports nothing that takes a millisecond, and not the package around it.
"""

from __future__ import annotations

import errno
import marshal
import os
import signal
import sys

from pytest_crucible.server.supervisor import cleanup, duties, identity, images, overlay
from pytest_crucible.server.supervisor.nest import Nest
from pytest_crucible.server.supervisor.postgres import Postgres, PostgresFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def main() -> None:
    """Run a server as the order on stdin says."""
    order = marshal.loads(sys.stdin.buffer.read())
    if os.fork():  # not the client's child: it must not get this process's SIGCHLD, nor keep it as a zombie
        os._exit(0)
    duties.detach(order)
    try:
        nest = Nest(order["parent"], order["key"], open_to_others=order["open_to_others"])
    except OSError as error:
        duties.report(order, *_explain(error), "")
        return
    server = Postgres(nest.path)
    try:
        _serve(order, server)
    finally:
        server.end()
        nest.remove()


def _serve(order: dict[str, Any], server: Postgres) -> None:
    """Start the server, wait for the last user, and stop it."""
    try:
        _prepare(order, server.nest)
        argv = [word.replace("{nest}", server.nest) for word in order["argv"]]
        server.start(argv, order["environment"], order["identity"])
        duties.announce(order, server.nest, order["version"])
    except Exception as error:  # noqa: BLE001 - the client must hear of it, whatever it is
        duties.report(order, *_explain(error), server.log())
        return
    users = duties.outlast_users(order, server.ended)
    _stop(order, server)
    os.close(users)
    cleanup.remove_locks(order["users"], order["start"], order["ready"])


def _prepare(order: dict[str, Any], nest: str) -> None:
    owner = identity.owner(order["identity"])
    os.mkdir(f"{nest}/s", 0o700)
    if owner:
        os.chown(f"{nest}/s", *owner)
    images.unpack(order["image"], f"{nest}/data", owner)
    if order["bundled"]:
        overlay.write(f"{nest}/share", order["bundled"], order["own_extensions"])


def _stop(order: dict[str, Any], server: Postgres) -> None:
    if server.ended():
        _keep_log(order, server)
    keep = os.path.exists(f"{server.nest}/keep")
    # A server that is stopped by SIGQUIT empties its unlogged tables when it starts again.
    clean = not server.ended() and server.stop(signal.SIGINT if keep else signal.SIGQUIT)
    server.end()
    if keep and clean:
        _save(order, f"{server.nest}/data")


def _save(order: dict[str, Any], data: str) -> None:
    """Save the image; if that fails, the next run reports it and builds its template again."""
    image = order["save_to"]
    try:
        images.pack(data, image)
        images.prune(os.path.dirname(image), keep=image)
    except OSError as error:
        with open(order["unsaved"], "w") as file:
            file.write(str(error))


def _keep_log(order: dict[str, Any], server: Postgres) -> None:
    """Save the log of a server that died, for the error message of its users."""
    with open(order["last_log"], "w") as file:
        file.write(server.log())


def _explain(error: Exception) -> tuple[str, str]:
    if isinstance(error, PostgresFailed):
        return str(error), ""
    if isinstance(error, images.BadImage):
        return "damaged", str(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "full", str(error)
    return "failed", f"{type(error).__name__}: {error}"
