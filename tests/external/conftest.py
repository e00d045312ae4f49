"""A PostgreSQL of the machine's own: another version than the embedded one, and not Crucible's."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

# Debian's PostgreSQL, oldest first; or whatever is on the PATH.
BINARIES = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin"))) + [
    str(Path(found).parent) for found in [shutil.which("initdb")] if found
]
# In memory where that is possible: on a disk, half of what these tests cost is the copying of databases.
PLACES = (Path("/", "dev", "shm"), Path("/", "tmp"))
SETTINGS = "-c fsync=off -c max_connections=60 -c max_prepared_transactions=5 -c log_min_messages=warning"


class Server:
    """A running server whose superuser is postgres.

    Attributes:
        port: Where it listens on 127.0.0.1; its socket is in `folder`.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._run("initdb", "-D", f"{folder}/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C")
        options = f"{SETTINGS} -c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={folder}"
        self._run("pg_ctl", "-D", f"{folder}/data", "-w", "-l", f"{folder}/log", "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        words = [f"{BINARIES[0]}/{program}", *arguments]
        if os.geteuid() == 0:  # which initdb refuses
            words = ["su", "postgres", "-s", "/bin/sh", "-c", shlex.join(words)]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd="/")

    def connect(self, user: str = "postgres", database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(host=self.folder, port=self.port, user=user, dbname=database, autocommit=True)

    def execute(self, *statements: str) -> None:
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement)

    def url(self, user: str) -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/postgres"

    def databases(self) -> set[str]:
        with self.connect() as connection:
            return {row[0] for row in connection.execute("SELECT datname FROM pg_database")}


@pytest.fixture(scope="session")
def external() -> Iterator[Server]:
    """Yield the server, with a database that is not Crucible's."""
    if not BINARIES:
        pytest.skip("no PostgreSQL is installed on this machine")
    folder = tempfile.mkdtemp(
        prefix="crucible-external-", dir=next(each for each in PLACES if os.access(each, os.W_OK))
    )
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    server = Server(folder)
    try:
        server.execute("CREATE DATABASE theirs")
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture
def role(external: Server) -> Iterator[Callable[..., str]]:
    """Make a role for one test, and drop it with its databases."""
    made: list[str] = []

    def make(name: str, options: str = "CREATEDB", *statements: str) -> str:
        external.execute(f"CREATE ROLE {name} LOGIN {options}", *statements)
        made.append(name)
        return name

    yield make
    for name in made:
        with external.connect() as connection:
            owned = "SELECT datname FROM pg_database WHERE pg_get_userbyid(datdba) = %s"
            for (database,) in connection.execute(owned, (name,)).fetchall():
                connection.execute(f'ALTER DATABASE "{database}" WITH IS_TEMPLATE false')
                connection.execute(f'DROP DATABASE "{database}" WITH (FORCE)')
            connection.execute(f"DROP OWNED BY {name}")
            connection.execute(f"DROP ROLE {name}")
