"""As whom PostgreSQL runs: initdb and postgres refuse to run as root.

An identity is a plain tuple, since it travels to the supervisor:

- ``("self", 0, 0)``: as whoever runs the tests;
- ``("namespace", uid, gid)``: root runs it in a user namespace of its own, where root's files belong to *uid*. It may
  then read whatever root may read, so it works with binaries in a folder that is closed to everybody else;
- ``("user", uid, gid)``: root runs it as another user, where user namespaces are refused (many containers).

The supervisor imports this module: it must stay cheap to import.
"""

from __future__ import annotations

import os

from pytest_crucible.server.supervisor import kernel

Identity = tuple[str, int, int]
SELF: Identity = ("self", 0, 0)

# The exit status of a child that could not take on its identity: nothing that initdb or postgres end with.
REFUSED = 77


class Refused(Exception):
    """The kernel, or the container around us, does not allow this identity; another may be."""


def become(identity: Identity) -> None:
    """Take on *identity*, for good: call it in a child that has one thread.

    Raises:
        Refused: It is not allowed here.
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
    """Who must own the data directory, or None where that is whoever creates it."""
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
