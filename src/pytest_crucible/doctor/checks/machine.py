"""Checks of disk space, permissions and limits of this machine."""

from __future__ import annotations

from collections.abc import Iterator

from ...server.folders import LEAST, SPARE
from ..case import Case
from ..findings import Finding

CACHE_ROOM = 200 << 20
DESCRIPTORS = 512


def data_room(case: Case) -> Iterator[Finding]:
    """Check the free space for an embedded server's data."""
    room = case.machine.room
    if not room or case.settings.server != "embedded":
        return
    listed = ", ".join(f"{place} has {_megabytes(free)} free" for place, free in room.items())
    do = "Make room there, or point TMPDIR at a larger disk. In Docker: docker run --shm-size=1g."
    if max(room.values()) < LEAST:
        yield Finding("There is no room for an embedded server.", f"{listed}; it needs {_megabytes(LEAST)}.", do,
                      severity="error")  # fmt: skip
    elif next(iter(room.values())) < SPARE:
        yield Finding(
            f"There is little memory for an embedded server: {listed}.",
            f"With less than {_megabytes(SPARE)} in the first of them, its data lies on disk, which is slower.",
            do,
            severity="note",
        )


def cache(case: Case) -> Iterator[Finding]:
    """Check that templates can be kept between runs."""
    machine = case.machine
    if machine.cache_error:
        yield Finding(
            f"Nothing can be kept between runs: {machine.cache_error.splitlines()[0]}",
            "Templates are kept in the cache folder; without it each run builds the schema anew, or fails.",
            "Point CRUCIBLE_CACHE at a folder that you may write.",
            severity="error",
        )
    elif machine.cache_room < CACHE_ROOM:
        yield Finding(
            f"The disk of the cache folder {machine.cache} has {_megabytes(machine.cache_room)} left.",
            "An image of a cluster with its templates takes 40 MB and more.",
            "Make room, run `crucible gc --templates`, or point CRUCIBLE_CACHE at another disk.",
        )


def descriptors(case: Case) -> Iterator[Finding]:
    """Check the limit of open files: each connection, and each file of the server, takes a descriptor."""
    if 0 <= case.machine.descriptors < DESCRIPTORS:
        yield Finding(
            f"A process may have only {case.machine.descriptors} files open.",
            "PostgreSQL and the pools of several engines need more: they fail with “too many open files”.",
            "Run `ulimit -n 4096` before pytest.",
        )


def root(case: Case) -> Iterator[Finding]:
    """Check whether the tests run as root, which is supported but slower."""
    if case.machine.root and case.settings.server == "embedded":
        yield Finding(
            "The tests run as root.",
            "PostgreSQL refuses root; Crucible starts it as an unprivileged user, for which it may have to copy its "
            "programs (40 MB) to a folder that others can read.",
            "Nothing has to be done. As an ordinary user a run starts faster.",
        )


def stale_processes(case: Case) -> Iterator[Finding]:
    """Yield what is left of each server whose supervisor has died."""
    for one in case.machine.remains:
        left = (
            f"still runs: process {one.process} in {one.folder}" if one.process else f"has left its folder {one.folder}"
        )
        yield Finding(
            f"A server of a dead run {left}.",
            "The process that watched over it was killed. Its data takes room, in memory where the folder lies in "
            "/dev/shm, until another run starts a server.",
            "Run `crucible gc` to remove it now.",
            severity="warning" if one.process else None,
        )


def _megabytes(size: int) -> str:
    return f"{size >> 20} MB"
