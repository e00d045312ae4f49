"""Removal of a server's remains: processes, shared memory, files.

The supervisor imports this module: it must stay cheap to import.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time

from pytest_crucible.server.supervisor import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 5.0
POLL = 0.002


def end_server(nest: str) -> None:
    """End the server that still runs in *nest*, if one does, and free its shared memory."""
    lines = read(f"{nest}/data/postmaster.pid").splitlines()
    if lines and lines[0].isdigit():
        for number in (signal.SIGQUIT, signal.SIGKILL):
            _end(int(lines[0]), nest, number)
    free_shared_memory(lines)


def free_shared_memory(pid_file: list[str]) -> None:
    """Free the segment that the lines of a ``postmaster.pid`` name (the seventh: key and number)."""
    segment = pid_file[6].split() if len(pid_file) > 6 else []
    if len(segment) == 2:
        kernel.remove_shared_memory(int(segment[0]), int(segment[1]))


def _end(pid: int, nest: str, number: int) -> None:
    if runs_in(pid, nest):
        send(pid, number)
    deadline = time.monotonic() + SECONDS
    while runs_in(pid, nest) and time.monotonic() < deadline:
        time.sleep(POLL)


def runs_in(pid: int, nest: str) -> bool:
    """Return whether the process *pid* is the server in *nest*: another process may have the number now."""
    if sys.platform == "linux":
        return nest in read(f"/proc/{pid}/cmdline")  # empty for a process that has ended
    return nest in os.popen(f"ps -ww -o command= -p {pid}").read()


def send(pid: int, number: int) -> None:
    """Send a signal to a process that may have ended."""
    try:  # noqa: SIM105 - contextlib costs the supervisor 2 ms
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def remove_locks(users: str, start: str, ready: str) -> None:
    """Remove a project's lock files if no process uses them; a waiting process checks that its file still exists."""
    held = [os.open(path, os.O_RDWR | os.O_CREAT, 0o600) for path in (users, start)]
    try:
        for descriptor in held:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for path in (ready, start, users):
            attempt(os.unlink, path)
    except BlockingIOError:
        pass
    finally:
        for descriptor in held:
            os.close(descriptor)


def remove_folder(path: str, *, last: str = "") -> None:
    """Remove the folder *path*; the file *last* goes last, so that an interrupted removal can be recognised."""
    for folder, folders, files in os.walk(path, topdown=False):
        for name in files:
            if folder != path or name != last:
                attempt(os.unlink, f"{folder}/{name}")
        for name in folders:
            inside = f"{folder}/{name}"
            attempt(os.unlink if os.path.islink(inside) else os.rmdir, inside)
    if last:
        attempt(os.unlink, f"{path}/{last}")
    attempt(os.rmdir, path)


def attempt(act: Callable[[str], None], path: str) -> None:
    """Call *act* with *path*; ignore an error of the system."""
    try:  # noqa: SIM105 - contextlib costs the supervisor 2 ms
        act(path)
    except OSError:  # another process was faster, or the disk is read-only
        pass


def read(path: str) -> str:
    """Return the text of a file, or "" if it cannot be read."""
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""
