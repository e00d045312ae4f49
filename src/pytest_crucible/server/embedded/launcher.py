"""Command lines of child processes: the interpreter for the supervisor, and PostgreSQL's programs."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

from ..supervisor.identity import REFUSED, SELF, Identity, Refused

# The superuser of Crucible's servers. Applications often connect as "postgres", and must not be superusers by accident.
SUPERUSER = "crucible_admin"

# Loads modules of this folder without the packages around them, whose import would take longer than starting postgres.
BOOT = """
import sys
for name, path in (("pytest_crucible", sys.argv[1]), ("pytest_crucible.server", sys.argv[1] + "/server"),
                   ("pytest_crucible.server.supervisor", sys.argv[1] + "/server/supervisor")):
    module = type(sys)(name)
    module.__path__ = [path]
    sys.modules[name] = module
"""

FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "jit": "off",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "shared_buffers": "128MB",
    "huge_pages": "off",
    "checkpoint_timeout": "1d",
    # A deadlock is no reason to wait for a second.
    "deadlock_timeout": "1ms",
    # The data directory may lie in memory: old WAL is not kept.
    "max_wal_size": "256MB",
    "min_wal_size": "2MB",
    "wal_recycle": "off",
    # In the data directory, and so removed with it: segments of the other kinds outlive a killed server.
    "dynamic_shared_memory_type": "mmap",
    "listen_addresses": "",
    "unix_socket_directories": "{nest}/s",
    "port": "5432",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "cluster_name": "crucible",
}
CONNECTIONS, CONNECTIONS_OF_A_WORKER = 200, 25
ELSEWHERE = ("listen_addresses", "unix_socket_directories", "port")


def connections() -> int:
    """Return max_connections for Crucible's servers: enough for a worker on each core, with SQLAlchemy's pools.

    It is no larger, because every reset scans a table of locks that grows with it.
    """
    return max(CONNECTIONS, CONNECTIONS_OF_A_WORKER * (os.cpu_count() or 1))


def settings(major: int, *, overlay: bool) -> dict[str, str]:
    """Return the settings for a server of this major version."""
    chosen = FAST | {"max_connections": str(connections())}
    if major >= 18:
        chosen["io_method"] = "sync"
        chosen["autovacuum_worker_slots"] = "1"  # each slot makes pg_locks, which every reset reads, longer
    if overlay:
        chosen["extension_control_path"] = "{nest}/share:$system"
    return chosen


def postgres(binary: Path, major: int, *, overlay: bool) -> list[str]:
    """Return the command line of a server; ``{nest}`` stands for its nest."""
    argv = [str(binary), "-D", "{nest}/data"]
    for name, value in settings(major, overlay=overlay).items():
        argv += ["-c", f"{name}={value}"]
    return argv


def containerised() -> list[str]:
    """Return the command of a server in a container, for all major versions that Crucible supports."""
    # The container has its own network, socket and port.
    chosen = {name: value for name, value in FAST.items() if name not in ELSEWHERE}
    chosen["max_connections"] = str(connections())
    return ["postgres", *(argument for name, value in chosen.items() for argument in ("-c", f"{name}={value}"))]


def interpreter(code: str, *arguments: str) -> list[str]:
    """Return the command line of a light Python process that runs *code*."""
    package = Path(__file__).parents[2]
    return [sys.executable, "-I", "-S", "-c", BOOT + code, str(package), *arguments]


def run(identity: Identity, argv: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a program of PostgreSQL to its end.

    Raises:
        Refused: If it may not run with this identity here.
    """
    if identity != SELF:
        code = f"from pytest_crucible.server.supervisor.identity import execute; execute({identity!r}, sys.argv[2:])"
        argv = interpreter(code, *argv)
    done = subprocess.run(
        argv,
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
        env=environment(),
        cwd="/",
        stdin=subprocess.DEVNULL,
    )
    if done.returncode == REFUSED and identity != SELF:
        raise Refused(done.stderr)
    return done


def environment() -> dict[str, str]:
    """Return the environment of PostgreSQL's programs, without the user's own settings for them."""
    passed = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")
    return {name: os.environ[name] for name in passed if name in os.environ} | {"LC_ALL": "C"}


def identities() -> list[Identity]:
    """Return the identities that PostgreSQL may run with here, the best first."""
    if os.geteuid() != 0:
        return [SELF]
    ordinary = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]
    nobody = [entry for entry in ordinary if entry.pw_name == "nobody"]
    # Inside a namespace all foreign files belong to "nobody" too, so another user is clearer.
    inside = [entry for entry in ordinary if entry not in nobody]
    kinds = {"namespace": inside + nobody, "user": nobody + inside}
    return [(kind, entry.pw_uid, entry.pw_gid) for kind, choice in kinds.items() for entry in choice[:1]]
