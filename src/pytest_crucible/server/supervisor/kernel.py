"""Calls of the kernel that Python 3.10 lacks.

Without ctypes, or on a system without the call, a function has no effect: each is a second line of defence, or has a
substitute. The supervisor imports this module: it must stay cheap to import.
"""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ctypes

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
IPC_RMID = 0


def enter_user_namespace(uid: int, gid: int) -> None:
    """Enter a user namespace in which this process's user is *uid*.

    Raises:
        OSError: If it is not allowed here.
    """
    outside_uid, outside_gid = os.geteuid(), os.getegid()
    libc = _libc("Linux")
    if libc is None or libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError("no user namespace")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {outside_uid} 1"),
        ("gid_map", f"{gid} {outside_gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def die_with_parent(parent: int) -> None:
    """Have the kernel send SIGQUIT when the process *parent* ends (Linux; elsewhere the next start sweeps).

    Call it after every change of user, which clears the setting.
    """
    _prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
    if os.getppid() != parent:  # it ended before the call
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies (Linux)."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def remove_shared_memory(key: int, number: int) -> None:
    """Remove the System V segment *number*, if it still is the one made for *key*.

    A killed server leaves its segment behind, and macOS has only 32 of them.
    """
    libc = _libc("Linux", "Darwin")
    if libc is not None and libc.shmget(key, 0, 0) == number:
        libc.shmctl(number, IPC_RMID, None)


def _prctl(option: int, value: int) -> None:
    libc = _libc("Linux")
    if libc is not None:
        libc.prctl(option, value, 0, 0, 0)


def _libc(*systems: str) -> ctypes.CDLL | None:
    if os.uname().sysname not in systems:
        return None
    try:
        import ctypes  # costs 4 ms, and some interpreters lack it
    except ImportError:
        return None
    return ctypes.CDLL(None)
