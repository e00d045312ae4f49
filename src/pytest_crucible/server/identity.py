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
import signal

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

Identity = tuple[str, int, int]
SELF: Identity = ("self", 0, 0)

# The exit status of a child that could not take on its identity: nothing that initdb or postgres end with.
REFUSED = 77


class Refused(Exception):
    """The kernel, or the container around us, does not allow this identity."""


def become(identity: Identity) -> None:
    """Take on *identity*, for good: call it in a child that has one thread.

    Raises:
        Refused: It is not allowed here.
    """
    kind, uid, gid = identity
    try:
        if kind == "namespace":
            _enter_namespace(uid, gid)
        elif kind == "user":
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
    except (OSError, ImportError) as error:
        raise Refused(str(error)) from error


def owner(identity: Identity) -> tuple[int, int] | None:
    """Who must own the data directory, or None where that is whoever creates it."""
    kind, uid, gid = identity
    return (uid, gid) if kind == "user" else None


def die_with_parent(parent: int) -> None:
    """Have the kernel send SIGQUIT when the process *parent* ends (Linux only: elsewhere the next start sweeps).

    Call it after :func:`become`: a change of user clears it.
    """
    _prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
    if os.getppid() != parent:  # it ended before we asked
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of every process below us whose own parent dies (Linux only)."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def execute(identity: Identity, argv: list[str]) -> None:
    """Replace this process by *argv*, run as *identity*."""
    try:
        become(identity)
    except Refused as error:
        os.write(2, f"{identity[0]}: {error}\n".encode())
        os._exit(REFUSED)
    os.execv(argv[0], argv)


def _enter_namespace(uid: int, gid: int) -> None:
    outside_uid, outside_gid = os.geteuid(), os.getegid()
    libc = _libc()
    if libc is None or libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError("no user namespace")
    _put("/proc/self/setgroups", "deny")
    _put("/proc/self/uid_map", f"{uid} {outside_uid} 1")
    _put("/proc/self/gid_map", f"{gid} {outside_gid} 1")


def _put(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _prctl(option: int, value: int) -> None:
    libc = _libc()
    if libc is not None:
        libc.prctl(option, value, 0, 0, 0)


def _libc():  # type: ignore[no-untyped-def]  # ctypes is imported here only: it costs 4 ms
    if os.uname().sysname != "Linux":
        return None
    try:
        import ctypes
    except ImportError:
        return None
    return ctypes.CDLL(None, use_errno=True)
