"""The identity that PostgreSQL runs with: initdb and postgres refuse to run as root.

An identity is a plain tuple, since it is sent to the supervisor:

- ``("self", 0, 0)``: the user who runs the tests;
- ``("namespace", uid, gid)``: root runs PostgreSQL in a separate user namespace, where root's files belong to *uid*. It
  may then read all files that root may read, so it works with binaries in a folder that is closed to other users;
- ``("user", uid, gid)``: root runs PostgreSQL as another user, if user namespaces are refused (many containers).

The supervisor imports this module: it must stay cheap to import.
"""

from __future__ import annotations

import os

from pytest_crucible.server.supervisor import kernel

Identity = tuple[str, int, int]
SELF: Identity = ("self", 0, 0)

# The exit status of a child that could not take on its identity: initdb and postgres never return it.
REFUSED = 77


class Refused(Exception):
    """The kernel, or the surrounding container, does not allow this identity; another may be allowed."""


def become(identity: Identity) -> None:
    """Take on *identity* permanently: call it in a child that has one thread.

    Raises:
        Refused: If it is not allowed here.
    """
    kind, uid, gid = identity
    try:
        if kind == "namespace":
            kernel.enter_user_namespace(uid, gid)
        elif kind == "user":
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
    except OSError as error:
        raise Refused(str(error)) from error


def owner(identity: Identity) -> tuple[int, int] | None:
    """Return the user and group that must own the data directory, or None if its creator may own it."""
    kind, uid, gid = identity
    return (uid, gid) if kind == "user" else None


def execute(identity: Identity, argv: list[str]) -> None:
    """Replace this process by *argv*, run as *identity*."""
    try:
        become(identity)
    except Refused as error:
        os.write(2, f"{identity[0]}: {error}\n".encode())
        os._exit(REFUSED)
    os.execv(argv[0], argv)
